// Package tinyci runs the continuous integration of a git repository inside a Go program. There is no
// daemon and no database: tinyci stores verdicts and records in git notes.
//
// [Open] returns an [Engine]. [Engine.Run] starts a [Run], which returns its events one at a time:
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
// If the context of a call ends, tinyci stops the work: it ends the running commands, still runs
// after_all, and returns the context's error. [Run.Close] kills the commands instead.
//
// A failed build is not an error. It is an [Outcome], of which only [Success] is green. Errors have the
// type [*Error]. To test for one kind of error, use errors.Is(err, tinyci.ErrBusy).
//
// The package needs tinyci's C library, which it finds with pkg-config, and nothing else. The build tag
// tinyci_static links the library into the program.
package tinyci

// #include <stdlib.h>
// #include <tinyci.h>
import "C"

import (
	"fmt"
	"unsafe"
)

// Version returns the version of the library, such as "0.1.0".
func Version() string {
	return C.GoString(C.tinyci_version())
}

// VersionNumber returns the version as a number that increases with it: 1.2.3 is 1002003.
func VersionNumber() int {
	return int(C.tinyci_version_number())
}

// HasFeature returns true if the library was built with a feature, such as "rhai" (pipelines that are
// scripts).
func HasFeature(name string) bool {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	return C.tinyci_has_feature(text) != 0
}

// compatible returns an error unless the library has the ABI of the header and at least its version.
func compatible() error {
	abi, number := C.tinyci_abi(), C.tinyci_version_number()
	if abi == C.TINYCI_ABI && number >= C.TINYCI_VERSION_NUMBER {
		return nil
	}
	return &Error{Code: ErrUnsupported, Message: fmt.Sprintf(
		"the tinyci library is version %s with ABI %d; this program was built for %s with ABI %d: "+
			"install that version or build the program again",
		Version(), abi, C.TINYCI_VERSION, C.TINYCI_ABI)}
}
