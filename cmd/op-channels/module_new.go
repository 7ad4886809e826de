package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/evmts/channels/sdk/modules"
	"github.com/urfave/cli/v2"
)

func newModuleCommand() *cli.Command {
	return &cli.Command{
		Name: "new", Usage: "start a module from a template", ArgsUsage: "DIR", Action: newModule,
		Flags: []cli.Flag{
			jsonFlag,
			&cli.StringFlag{Name: "lang", Required: true, Usage: "`LANGUAGE`: " + strings.Join(modules.Languages, ", ")},
			&cli.StringFlag{Name: "name", Usage: "`NAME` of the module; the folder's if left out"},
		},
		Description: "Writes a small game with its build script, its limits, a test off chain and a copy of the SDK into DIR, which must be missing or empty.",
	}
}

// created is what `module new` made.
type created struct {
	Dir      string `json:"dir"`
	Name     string `json:"name"`
	Language string `json:"language"`
}

func newModule(ctx *cli.Context) error {
	dir := ctx.Args().First()
	if dir == "" || ctx.Args().Len() > 1 {
		return errors.New("give one DIR for the module")
	}
	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	c := created{Dir: dir, Name: ctx.String("name"), Language: ctx.String("lang")}
	if c.Name == "" {
		c.Name = filepath.Base(full)
	}
	if err := modules.Scaffold(c.Language, full, c.Name); err != nil {
		if errors.Is(err, modules.ErrName) && !ctx.IsSet("name") {
			return fmt.Errorf("%w: choose one with --name", err)
		}
		return err
	}
	return show(ctx, c, func(w io.Writer) {
		fmt.Fprintf(w, "%s is a module in %s now: %s\nnext: cd %s && npm install && op-channels module build . && npm test\n", c.Name, c.Language, dir, dir)
	})
}
