//go:build !tinyci_static

package tinyci

// #cgo pkg-config: tinyci
import "C"
