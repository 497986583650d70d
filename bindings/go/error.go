package tinyci

// #include <tinyci.h>
import "C"

import (
	"fmt"
	"os"
)

// A Status is a kind of error. As an error of its own it is what errors.Is looks for:
//
//	if errors.Is(err, tinyci.ErrBusy) { … }
type Status int32

// The kinds of errors. A later library may know more.
const (
	// ErrInvalidArg: an argument cannot be used.
	ErrInvalidArg Status = C.TINYCI_INVALID_ARG
	// ErrNotFound: a revision, ref, build or file that was named does not exist.
	ErrNotFound Status = C.TINYCI_NOT_FOUND
	// ErrNotARepo: the path is not a git repository, or not one that can be read.
	ErrNotARepo Status = C.TINYCI_NOT_A_REPO
	// ErrConfig: a pipeline config is not valid.
	ErrConfig Status = C.TINYCI_CONFIG
	// ErrScript: a pipeline script is not valid, or failed.
	ErrScript Status = C.TINYCI_SCRIPT
	// ErrInterpolate: a tag cannot be filled in.
	ErrInterpolate Status = C.TINYCI_INTERPOLATE
	// ErrGit: git's own data could not be read or written.
	ErrGit Status = C.TINYCI_GIT
	// ErrIO: the file system refused.
	ErrIO Status = C.TINYCI_IO
	// ErrSpawn: a command or a thread could not be started.
	ErrSpawn Status = C.TINYCI_SPAWN
	// ErrChildLost: a child's exit status was taken by somebody else in this process.
	ErrChildLost Status = C.TINYCI_CHILD_LOST
	// ErrCanceled: the work was canceled before it could begin.
	ErrCanceled Status = C.TINYCI_CANCELED
	// ErrHostAbort: the program refused a request, or did not answer it.
	ErrHostAbort Status = C.TINYCI_HOST_ABORT
	// ErrBusy: another process or goroutine is running in this repository; it looks again before
	// it ends, so nothing is missed.
	ErrBusy Status = C.TINYCI_BUSY
	// ErrUnsupported: something that tinyci does not do, named in the message.
	ErrUnsupported Status = C.TINYCI_UNSUPPORTED
	// ErrWrongProcess: the handle was made by another process.
	ErrWrongProcess Status = C.TINYCI_WRONG_PROCESS
	// ErrPanic: tinyci itself is at fault. Whatever was used can only be closed.
	ErrPanic Status = C.TINYCI_PANIC
	// ErrHostFault: the program itself failed where it was asked.
	ErrHostFault Status = C.TINYCI_HOST_FAULT
	// ErrNewerFormat: a newer version of tinyci wrote the repository's state; the message says which
	// version it needs.
	ErrNewerFormat Status = C.TINYCI_NEWER_FORMAT
)

// Error is the status's name, such as "not_found".
func (s Status) Error() string {
	if name := C.tinyci_code_name(C.tinyci_code(s)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("status %d", int32(s))
}

// An Error says why tinyci could not do what it was asked to do.
type Error struct {
	// Status is the kind of error.
	Status Status
	// Message is the whole of it for a person: place, what went wrong, and the causes.
	Message string
	// File is the file or repository that the error met; "" where it met none.
	File string
	// Line of that file, from 1; 0 where there is no position.
	Line int
	// Column in that line, in characters, from 1; 0 where there is no position.
	Column int
	// HostCode is the Code of the Refusal that went wrong, if that is what did.
	HostCode int
	// Causes that the message ends with, the nearest first.
	Causes []string

	cause error
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Is tells whether the target is the error's Status.
func (e *Error) Is(target error) bool { return target == e.Status }

// Unwrap gives the error of the context, where that is what stopped the work, or os.ErrClosed; of
// ErrHostFault the error of the hook or function.
func (e *Error) Unwrap() error { return e.cause }

// closed is the error of what was closed before.
func closed(what string) error {
	message := "the " + what + " was closed"
	return &Error{Status: ErrInvalidArg, Message: message, cause: os.ErrClosed}
}

// call calls a function of the library, and makes its error one of Go's.
func call(do func(err **C.tinyci_error) C.tinyci_code) (C.tinyci_code, error) {
	var raised *C.tinyci_error
	status := do(&raised)
	if status >= 0 {
		return status, nil
	}
	defer C.tinyci_error_free(raised)
	err := &Error{
		Status:   Status(status),
		Message:  C.GoString(C.tinyci_error_message(raised)),
		File:     C.GoString(C.tinyci_error_file(raised)),
		Line:     int(C.tinyci_error_line(raised)),
		Column:   int(C.tinyci_error_column(raised)),
		HostCode: int(C.tinyci_error_host_code(raised)),
	}
	for depth := C.size_t(0); ; depth++ {
		cause := C.tinyci_error_cause(raised, depth)
		if cause == nil {
			return status, err
		}
		err.Causes = append(err.Causes, C.GoString(cause))
	}
}
