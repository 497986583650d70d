//go:build tinyci_static

package tinyci

// The archive stands before what pkg-config says, which names the shared library too: that one is
// then needed for nothing, and left out.

// #cgo LDFLAGS: -l:libtinyci.a -Wl,--as-needed
// #cgo pkg-config: --static tinyci
import "C"
