// Package debug steps through one call of a module: a Session carries out commands on the reference machine and gives
// views of it, for whatever shows them. It reads no input and writes no output itself.
//
// Going back is carrying out the call again: a call is a function of its arguments, so instruction n is always the same.
package debug
