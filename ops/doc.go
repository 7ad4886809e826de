// Package ops holds what a sidecar is run with, beside its code: alert rules, a dashboard, units, an image. Its tests hold these
// files to the program: every metric they name is one that a running sidecar shows.
package ops
