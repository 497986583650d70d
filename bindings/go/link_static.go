//go:build tinyci_static

package tinyci

// The archive comes before the flags of pkg-config, which also name the shared library. The linker then
// needs nothing from the shared library and omits it.

// #cgo LDFLAGS: -l:libtinyci.a -Wl,--as-needed
// #cgo pkg-config: --static tinyci
import "C"
