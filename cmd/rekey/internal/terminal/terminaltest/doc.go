// Package terminaltest gives tests a terminal. It has one on Linux only.
package terminaltest
