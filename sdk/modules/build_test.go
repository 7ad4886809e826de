package modules

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// compilers are what the probes were built with. Other versions write other bytes.
var compilers = map[string]string{
	"assemblyscript": "Version 0.28.20", "c": "clang version 14.0.6", "rust": "rustc 1.63.0", "zig": "0.11.0",
}

// compiler skips when the compiler of a language is missing, or another than the probes were built with. CI has them all.
func compiler(t *testing.T, lang string) {
	t.Helper()
	out, err := exec.Command("./build.sh", "--version", lang).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		t.Skipf("%s was NOT tested: %s", lang, strings.TrimSpace(string(out)))
	}
	require.NoError(t, err, string(out))
	if !strings.Contains(string(out), compilers[lang]) {
		t.Skipf("%s was NOT tested: the modules were built with %s, here is %s", lang, compilers[lang], strings.TrimSpace(string(out)))
	}
}

// Four more compilations: with CHANNELS_LONG=1 only. Run build.sh of the probes after a change of an SDK.
func TestA9_ProbesAreBuiltFromTheirSources(t *testing.T) {
	if os.Getenv("CHANNELS_LONG") == "" {
		t.Skip("the probes were NOT compared with their sources: set CHANNELS_LONG=1")
	}
	for _, lang := range Languages {
		t.Run(lang, func(t *testing.T) {
			compiler(t, lang)
			dir := t.TempDir()
			out, err := exec.Command("testdata/probe/build.sh", "-o", dir, lang).CombinedOutput()
			require.NoError(t, err, string(out))
			built, err := os.ReadFile(filepath.Join(dir, lang+".wasm"))
			require.NoError(t, err)
			want, err := os.ReadFile("testdata/probe/" + lang + ".wasm")
			require.NoError(t, err)
			require.Equal(t, want, built, "run sdk/modules/testdata/probe/build.sh %s", lang)
		})
	}
}
