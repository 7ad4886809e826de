// Package examples checks that README.md, the table of the example modules, tells the truth.
package examples
