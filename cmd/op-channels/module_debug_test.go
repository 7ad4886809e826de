package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// TestDebugTranscript plays commands to the debugger over a game of the counter; the arguments of `debug` are its flags.
func TestDebugTranscript(t *testing.T) {
	datadriven.RunTest(t, "testdata/debug_counter", func(t *testing.T, d *datadriven.TestData) string {
		require.Equal(t, "debug", d.Cmd)
		args := []string{"op-channels", "module", "debug", "--script", "testdata/counter.json"}
		for _, a := range d.CmdArgs {
			args = append(args, "--"+a.String())
		}
		app := newApp()
		var out bytes.Buffer
		app.Reader, app.Writer = strings.NewReader(d.Input), &out
		if err := app.Run(append(args, "../../examples/counter/counter.wasm")); err != nil {
			out.WriteString("error: " + err.Error() + "\n")
		}
		return out.String()
	})
}
