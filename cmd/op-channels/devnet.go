package main

import "github.com/urfave/cli/v2"

func devnetCommand() *cli.Command { return &cli.Command{Name: "devnet"} }
