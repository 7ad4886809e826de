package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/evmts/channels/derivation/evm"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v2"
)

var fence = regexp.MustCompile("(?ms)^```sh\n(.*?)^```")

// TestDocsCommandsExist reads every shell block of the documentation: each `op-channels` command and flag in it exists, and
// each make target too.
func TestDocsCommandsExist(t *testing.T) {
	root := filepath.Join("..", "..")
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	var files []string
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/*.md", "contracts/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		files = append(files, found...)
	}
	commands, targets := 0, 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
			for _, line := range strings.Split(strings.ReplaceAll(block[1], "\\\n", " "), "\n") {
				words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "$ "))
				switch {
				case len(words) > 1 && (words[0] == "op-channels" || strings.HasSuffix(words[0], "/op-channels")):
					commands++
					require.NoError(t, known(newApp().Commands, words[1:]), "%s: %s", file, line)
				case len(words) > 1 && words[0] == "make":
					targets++
					require.Regexp(t, `(?m)^`+regexp.QuoteMeta(words[1])+`:`, string(makefile), "%s: %s", file, line)
				}
			}
		}
	}
	require.Greater(t, commands, 5, "the documentation names no commands: is the pattern still right?")
	require.Greater(t, targets, 3)
}

// known walks from command to subcommand and looks at the flags.
func known(commands []*cli.Command, words []string) error {
	var cmd *cli.Command
	for len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		var next *cli.Command
		for _, c := range commands {
			if c.HasName(words[0]) {
				next = c
			}
		}
		if next == nil {
			if cmd == nil || len(cmd.Subcommands) > 0 {
				return fmt.Errorf("there is no command %q", words[0])
			}
			break // arguments
		}
		cmd, commands, words = next, next.Subcommands, words[1:]
	}
	for _, w := range words {
		if w == "#" {
			break
		}
		if !strings.HasPrefix(w, "--") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), "=")
		found := name == "help"
		for _, f := range cmd.Flags {
			for _, n := range f.Names() {
				found = found || n == name
			}
		}
		if !found {
			return fmt.Errorf("%s has no flag --%s", cmd.Name, name)
		}
	}
	return nil
}

// TestHelpReadsWell: every command says what it is for, and its flags say what they mean.
func TestHelpReadsWell(t *testing.T) {
	var walk func(path string, commands []*cli.Command)
	walk = func(path string, commands []*cli.Command) {
		for _, c := range commands {
			name := path + " " + c.Name
			require.NotEmpty(t, c.Usage, name)
			for _, f := range c.Flags {
				d, ok := f.(cli.DocGenerationFlag)
				require.True(t, ok)
				require.NotEmpty(t, d.GetUsage(), "%s --%s", name, f.Names()[0])
			}
			walk(name, c.Subcommands)
		}
	}
	walk("op-channels", newApp().Commands)
}

// TestC2_FiguresOfProofsAreThoseOfTheContracts: the page that explains the proof quotes the contracts' table of gas and the
// machine's size; both are held by tests where they are made.
func TestC2_FiguresOfProofsAreThoseOfTheContracts(t *testing.T) {
	read := func(path ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
		require.NoError(t, err)
		return string(b)
	}
	page, table := read("docs", "fraud-proofs.md"), read("contracts", "README.md")
	quoted := regexp.MustCompile(`(?m)^\| (?:disprove|publish).*\|$`).FindAllString(page, -1)
	require.Len(t, quoted, 4)
	for _, line := range quoted {
		for _, figure := range regexp.MustCompile(`\d[\d,]*,\d{3}`).FindAllString(line, -1) {
			require.Contains(t, table, figure, line)
		}
	}
	machine, err := evm.Machine()
	require.NoError(t, err)
	require.Contains(t, strings.ReplaceAll(page, ",", ""), fmt.Sprintf("%d bytes of EVM code", len(machine.Code)))
}
