package main

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// op-geth keeps its flags for logs and profiles in a package that only it can import; these are the same in name and meaning.
var (
	verbosityFlag = &cli.IntFlag{Name: "verbosity", Value: 3, Usage: "Logging verbosity: 0=silent, 1=error, 2=warn, 3=info, 4=debug, 5=detail", Category: logging}
	vmoduleFlag   = &cli.StringFlag{Name: "log.vmodule", Usage: "Per-module verbosity: comma-separated list of <pattern>=<level>", Category: logging}
	formatFlag    = &cli.StringFlag{Name: "log.format", Usage: "Log format to use (json|logfmt|terminal)", Category: logging}
	logFileFlag   = &cli.StringFlag{Name: "log.file", Usage: "Write logs to a file as well", Category: logging}
	pprofFlag     = &cli.BoolFlag{Name: "pprof", Usage: "Enable the pprof HTTP server", Category: logging}
	pprofAddrFlag = &cli.StringFlag{Name: "pprof.addr", Value: "127.0.0.1", Usage: "pprof HTTP server listening interface", Category: logging}
	pprofPortFlag = &cli.IntFlag{Name: "pprof.port", Value: 6060, Usage: "pprof HTTP server listening port", Category: logging}

	logFlags = []cli.Flag{verbosityFlag, vmoduleFlag, formatFlag, logFileFlag, pprofFlag, pprofAddrFlag, pprofPortFlag}
)

const logging = "LOGGING AND DEBUGGING"

// setUpLogs also serves both programs' profiles, when they are wanted.
func setUpLogs(ctx *cli.Context) error {
	out := io.Writer(os.Stderr)
	if path := ctx.String(logFileFlag.Name); path != "" {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			return fmt.Errorf("--%s: %w", logFileFlag.Name, err)
		}
		out = io.MultiWriter(os.Stderr, f)
	}
	var handler slog.Handler
	switch format := ctx.String(formatFlag.Name); format {
	case "", "terminal":
		handler = log.NewTerminalHandler(out, term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb")
	case "json":
		handler = log.JSONHandler(out)
	case "logfmt":
		handler = log.LogfmtHandler(out)
	default:
		return fmt.Errorf("--%s %q: use json, logfmt or terminal", formatFlag.Name, format)
	}
	levels := log.NewGlogHandler(handler)
	levels.Verbosity(log.FromLegacyLevel(ctx.Int(verbosityFlag.Name)))
	if err := levels.Vmodule(ctx.String(vmoduleFlag.Name)); err != nil {
		return fmt.Errorf("--%s: %w", vmoduleFlag.Name, err)
	}
	log.SetDefault(log.NewLogger(levels))
	if ctx.Bool(pprofFlag.Name) {
		return serveProfiles(net.JoinHostPort(ctx.String(pprofAddrFlag.Name), strconv.Itoa(ctx.Int(pprofPortFlag.Name))))
	}
	return nil
}

func serveProfiles(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--%s: %w", pprofFlag.Name, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { log.Error("The pprof server has ended", "err", server.Serve(l)) }() // it lives as long as the process
	log.Info("Profiles are served", "addr", address)
	return nil
}
