package tinyci

// #include <tinyci.h>
import "C"

import (
	"fmt"
	"os"
)

// A Code is a kind of error. It is an error itself, so that errors.Is can look for it:
//
//	if errors.Is(err, tinyci.ErrBusy) { … }
type Code int32

// The kinds of errors. A later library may have more.
const (
	// ErrInvalidArg: an argument is not valid.
	ErrInvalidArg Code = C.TINYCI_INVALID_ARG
	// ErrNotFound: a named revision, ref, build or file does not exist.
	ErrNotFound Code = C.TINYCI_NOT_FOUND
	// ErrNotARepo: the path is not a readable git repository.
	ErrNotARepo Code = C.TINYCI_NOT_A_REPO
	// ErrConfig: a pipeline config is not valid.
	ErrConfig Code = C.TINYCI_CONFIG
	// ErrScript: a pipeline script is not valid, or failed.
	ErrScript Code = C.TINYCI_SCRIPT
	// ErrInterpolate: a placeholder cannot be filled in.
	ErrInterpolate Code = C.TINYCI_INTERPOLATE
	// ErrGit: tinyci could not read or write git's data.
	ErrGit Code = C.TINYCI_GIT
	// ErrIO: a file operation failed.
	ErrIO Code = C.TINYCI_IO
	// ErrSpawn: a command or a thread could not be started.
	ErrSpawn Code = C.TINYCI_SPAWN
	// ErrChildLost: other code of this process took a command's exit code.
	ErrChildLost Code = C.TINYCI_CHILD_LOST
	// ErrCanceled: the work was canceled.
	ErrCanceled Code = C.TINYCI_CANCELED
	// ErrHostAbort: the program refused a request, or did not answer it.
	ErrHostAbort Code = C.TINYCI_HOST_ABORT
	// ErrBusy: another process or goroutine is running in this repository. It checks for new commits
	// before it ends, so none is missed.
	ErrBusy Code = C.TINYCI_BUSY
	// ErrUnsupported: tinyci does not support this; the message says what.
	ErrUnsupported Code = C.TINYCI_UNSUPPORTED
	// ErrWrongProcess: another process made the object.
	ErrWrongProcess Code = C.TINYCI_WRONG_PROCESS
	// ErrPanic: a bug in tinyci. The object can only be closed.
	ErrPanic Code = C.TINYCI_PANIC
	// ErrHostFault: a callback of the program failed.
	ErrHostFault Code = C.TINYCI_HOST_FAULT
	// ErrNewerFormat: a newer version of tinyci wrote the repository's state. The message names the
	// version that can read it.
	ErrNewerFormat Code = C.TINYCI_NEWER_FORMAT
)

// Error returns the name of the code, such as "not_found".
func (c Code) Error() string {
	if name := C.tinyci_code_name(C.tinyci_code(c)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("code %d", int32(c))
}

// An Error is a failed call: tinyci could not do what the program asked for.
type Error struct {
	// Code is the kind of error.
	Code Code
	// Message is the complete message for a person: the place, the problem and the causes.
	Message string
	// File is the file or repository that the error is about; "" if there is none.
	File string
	// Line is the line in that file, from 1; 0 if the error has no position.
	Line int
	// Column is the column in that line, in characters, from 1; 0 if the error has no position.
	Column int
	// HostCode is the Code of the program's [Refusal], if that is the cause; else 0.
	HostCode int
	// Causes are the causes at the end of the message, nearest first.
	Causes []string

	cause error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Is returns true if the target is the error's Code.
func (e *Error) Is(target error) bool { return target == e.Code }

// Unwrap returns the context's error if the end of the context stopped the work, os.ErrClosed if the
// object was closed, or the callback's error for ErrHostFault.
func (e *Error) Unwrap() error { return e.cause }

// closed returns the error for an object that is already closed.
func closed(what string) error {
	message := "the " + what + " was closed"
	return &Error{Code: ErrInvalidArg, Message: message, cause: os.ErrClosed}
}

// call calls a function of the library and converts its error.
func call(do func(err **C.tinyci_error) C.tinyci_code) (C.tinyci_code, error) {
	var raised *C.tinyci_error
	code := do(&raised)
	if code >= 0 {
		return code, nil
	}
	defer C.tinyci_error_free(raised)
	err := &Error{
		Code:     Code(code),
		Message:  C.GoString(C.tinyci_error_message(raised)),
		File:     C.GoString(C.tinyci_error_file(raised)),
		Line:     int(C.tinyci_error_line(raised)),
		Column:   int(C.tinyci_error_column(raised)),
		HostCode: int(C.tinyci_error_host_code(raised)),
	}
	for depth := C.size_t(0); ; depth++ {
		cause := C.tinyci_error_cause(raised, depth)
		if cause == nil {
			return code, err
		}
		err.Causes = append(err.Causes, C.GoString(cause))
	}
}
