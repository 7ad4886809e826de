package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/urfave/cli/v2"
)

// exitMissing is the exit code of a build script whose compiler is missing (sdk/modules/build.sh).
const exitMissing = 3

func buildCommand() *cli.Command {
	return &cli.Command{
		Name: "build", Usage: "build a module and check it", ArgsUsage: "DIR", Flags: []cli.Flag{jsonFlag}, Action: buildModule,
		Description: "Runs DIR/build.sh, which puts one or more .wasm into DIR, and checks each as `module check` does. What the compiler says goes to stderr.",
	}
}

func buildModule(ctx *cli.Context) error {
	dir := ctx.Args().First()
	if dir == "" || ctx.Args().Len() > 1 {
		return errors.New("give the DIR of one module, with a build.sh")
	}
	if err := runBuild(ctx, dir); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(globbed(dir), "*.wasm"))
	if err != nil {
		return fmt.Errorf("look for what was built: %w", err)
	}
	if len(files) == 0 {
		return fmt.Errorf("%s built nothing: it must put NAME.wasm into %s", filepath.Join(dir, "build.sh"), dir)
	}
	reports := make([]moduleReport, 0, len(files))
	for _, f := range files {
		l, err := loadModule(f)
		if err != nil {
			return err
		}
		reports = append(reports, reportOn(f, l.module))
		if err := l.engine.Close(); err != nil {
			return err
		}
	}
	return show(ctx, reports, func(w io.Writer) {
		for i := range reports {
			reports[i].accepted(w)
		}
	})
}

// globbed makes a path mean itself in a pattern.
func globbed(path string) string {
	var out []rune
	for _, r := range path {
		switch r {
		case '*', '?', '[', '\\':
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

func runBuild(ctx *cli.Context, dir string) error {
	script := filepath.Join(dir, "build.sh")
	switch info, err := os.Stat(script); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s: `op-channels module new` makes a module that has one", script)
	case err != nil:
		return err
	case info.Mode()&0o111 == 0:
		return fmt.Errorf("%s may not be executed: chmod +x it", script)
	}
	cmd := exec.CommandContext(ctx.Context, "./build.sh")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, ctx.App.ErrWriter, ctx.App.ErrWriter
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		return fmt.Errorf("run %s: %w", script, err)
	case exit.ExitCode() == exitMissing:
		return cli.Exit(fmt.Errorf("%s: a compiler is missing; what to install stands above", script), exitMissing)
	}
	return fmt.Errorf("%s failed (%w); what the compiler says stands above", script, err)
}
