//go:build !cgo

package tinyci

// Without cgo, this name is the compiler's error message.
var _ = tinyci_needs_cgo_set_CGO_ENABLED_to_1_and_install_a_C_compiler
