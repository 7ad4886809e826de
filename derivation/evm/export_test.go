package evm

import "strings"

// Planted generates the machine and its harness with a mistake: in the handler or part of the name, old is replaced.
// found says whether it was there.
func Planted(name, old, text string) (machine, harness *Program, found bool, err error) {
	edit := func(n, s string) string {
		if n != name {
			return s
		}
		found = strings.Contains(s, old)
		return strings.Replace(s, old, text, 1)
	}
	if machine, err = generate(edit, variant...); err != nil {
		return nil, nil, found, err
	}
	harness, err = generate(edit, harnessed...)
	return machine, harness, found, err
}
