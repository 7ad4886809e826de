package tictactoe

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// compilers are what the checked-in modules were built with. Other versions write other bytes.
var compilers = map[string]string{
	"assemblyscript": "Version 0.28.20", "c": "clang version 14.0.6", "rust": "rustc 1.63.0", "zig": "0.11.0",
}

// Each .wasm is what build.sh makes of its source. Where a compiler is missing, or is another version than the file was
// built with, the test says so: CI has them all.
func TestA9_ModulesAreBuiltFromTheirSources(t *testing.T) {
	for _, lang := range Languages {
		t.Run(lang, func(t *testing.T) {
			out, err := exec.Command("../../sdk/modules/build.sh", "--version", lang).CombinedOutput()
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 3 {
				t.Skipf("%s.wasm was NOT compared with its source: %s", lang, strings.TrimSpace(string(out)))
			}
			require.NoError(t, err, string(out))
			if !strings.Contains(string(out), compilers[lang]) {
				t.Skipf("%s.wasm was NOT compared with its source: it was built with %s, here is %s", lang, compilers[lang], strings.TrimSpace(string(out)))
			}
			dir := t.TempDir()
			out, err = exec.Command("./build.sh", "-o", dir, lang).CombinedOutput()
			require.NoError(t, err, string(out))
			built, err := os.ReadFile(filepath.Join(dir, lang+".wasm"))
			require.NoError(t, err)
			want, err := Wasm(lang)
			require.NoError(t, err)
			require.Equal(t, want, built, "the source was changed without running examples/tictactoe/build.sh "+lang)
		})
	}
}
