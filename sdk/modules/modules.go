// Package modules carries the SDKs that game developers write modules with, and starts a new module from a template.
//
// What Scaffold writes stands by itself: the module's source, its manifest, a test off chain, and copies of the SDK and of
// the build recipe, so that the bytes of the module do not change when this program is updated.
package modules

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Languages are those that there is an SDK for, in the order of the alphabet.
var Languages = []string{"assemblyscript", "c", "rust", "zig"}

var (
	// ErrLanguage means that there is no SDK for the language.
	ErrLanguage = errors.New("modules: unknown language")
	// ErrName means that a module cannot have this name.
	ErrName = errors.New("modules: bad name")
	// ErrExists means that there is something where the module would go.
	ErrExists = errors.New("modules: the folder is not empty")
)

//go:embed build.sh all:templates
//go:embed assemblyscript/package.json assemblyscript/assembly c/channels.h c/channels rust/Cargo.toml rust/src zig/*.zig
//go:embed testing/*.mjs
var files embed.FS

// names are those that npm, Cargo and a file system all take.
var names = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Placeholders stand for the module's name in templates and in the names of their files: embed takes no leading underscore.
const (
	placeholder     = "__NAME__"
	filePlaceholder = "NAME."
)

// Scaffold writes a new module into dir, which must be missing or empty: a small game that builds with ./build.sh and
// passes its test with `npm test`. Name is up to 32 characters of a-z, 0-9 and -, starting with a letter. The error wraps
// ErrLanguage, ErrName or ErrExists, or is the file system's; nothing that exists is ever written over.
func Scaffold(lang, dir, name string) error {
	if !slices.Contains(Languages, lang) {
		return fmt.Errorf("%w: %q; choose one of %s", ErrLanguage, lang, strings.Join(Languages, ", "))
	}
	if !names.MatchString(name) {
		return fmt.Errorf("%w: %q; use up to 32 characters of a-z, 0-9 and -, starting with a letter", ErrName, name)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("modules: looking at %s: %w", dir, err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("%w: %s has %s; name another folder", ErrExists, dir, entries[0].Name())
	}
	for from, to := range map[string]string{
		"templates/any": ".", "templates/" + lang: ".", "build.sh": "sdk/build.sh", lang: "sdk/" + lang, "testing": "sdk/testing",
	} {
		if err := copyTree(from, filepath.Join(dir, to), name); err != nil {
			return fmt.Errorf("modules: writing the module %s: %w", name, err)
		}
	}
	return nil
}

func copyTree(from, to, name string) error {
	return fs.WalkDir(files, from, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := files.ReadFile(p)
		if err != nil {
			return err
		}
		rest := strings.TrimPrefix(p, from)
		if strings.HasPrefix(from, "templates/") {
			rest = strings.Replace(rest, filePlaceholder, name+".", 1)
			content = []byte(strings.ReplaceAll(string(content), placeholder, name))
		}
		return create(filepath.Join(to, filepath.FromSlash(rest)), content, path.Ext(p) == ".sh")
	})
}

// create writes a file that does not exist yet.
func create(target string, content []byte, executable bool) (err error) {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(content)
	return err
}
