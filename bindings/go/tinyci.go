// Package tinyci runs a repository's continuous integration inside a Go program: no daemon, no
// database; what became of a commit stands in git notes.
//
// [Open] gives an [Engine], [Engine.Run] a [Run], whose events come one by one:
//
//	engine, err := tinyci.Open("/srv/git/app.git", tinyci.Jobs(2))
//	if err != nil {
//		return err
//	}
//	defer engine.Close()
//	run := engine.Run(ctx, tinyci.Pending)
//	defer run.Close()
//	for run.Next() {
//		if output, ok := run.Event().(tinyci.Output); ok {
//			os.Stdout.Write(output.Data)
//		}
//	}
//	for _, record := range run.Records() {
//		fmt.Println(record.Commit, record.Outcome)
//	}
//	return run.Err()
//
// A context that ends stops what it was given to: commands are ended, after_all still runs, and
// the error is the context's. [Run.Close] kills.
//
// A red build is no error: it is an [Outcome], of which only [Success] is green. Errors are of type
// [*Error]; errors.Is(err, tinyci.ErrBusy) asks for one kind of them.
//
// The package is built on tinyci's C library, which pkg-config finds, and on nothing else. With the
// build tag tinyci_static the library becomes a part of the program.
package tinyci

// #include <stdlib.h>
// #include <tinyci.h>
import "C"

import (
	"fmt"
	"unsafe"
)

// Version is the version of the library, such as "0.1.0".
func Version() string {
	return C.GoString(C.tinyci_version())
}

// VersionNumber is the version as a number that rises with it: 1.2.3 is 1002003.
func VersionNumber() int {
	return int(C.tinyci_version_number())
}

// HasFeature tells whether the library was built with a feature: "rhai" for pipelines that are
// scripts.
func HasFeature(name string) bool {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return C.tinyci_has_feature(text) != 0
}

// compatible refuses a library that is not the one this program was built against, or a later one
// that still runs it.
func compatible() error {
	abi, number := C.tinyci_abi(), C.tinyci_version_number()
	if abi == C.TINYCI_ABI && number >= C.TINYCI_VERSION_NUMBER {
		return nil
	}
	return &Error{Status: ErrUnsupported, Message: fmt.Sprintf(
		"the tinyci library is version %s with ABI %d; this program was built for %s with ABI %d: "+
			"install that version or build the program again",
		Version(), abi, C.TINYCI_VERSION, C.TINYCI_ABI)}
}
