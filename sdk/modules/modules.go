// Package modules carries the SDKs that game developers write modules with, and starts a new module from a template.
package modules

// Languages are those that there is an SDK for, in the order of the alphabet.
var Languages = []string{"assemblyscript", "c", "rust", "zig"}
