package tinyci

// #include <stdlib.h>
// #include <tinyci.h>
import "C"

import (
	"fmt"
	"strings"
	"time"
	"unsafe"
)

// texts are the C strings of one call.
type texts struct {
	made []*C.char
	err  error
}

// of copies a string to C. A string with a NUL byte is an error, since C would end it there; call returns
// the first such error.
func (t *texts) of(what, text string) *C.char {
	if strings.IndexByte(text, 0) >= 0 && t.err == nil {
		message := fmt.Sprintf("%s %q contains a NUL byte", what, text)
		t.err = &Error{Code: ErrInvalidArg, Message: message}
	}
	return t.raw(text)
}

// optional returns NULL for an empty string.
func (t *texts) optional(what, text string) *C.char {
	if text == "" {
		return nil
	}
	return t.of(what, text)
}

// raw copies a string that may contain NUL bytes.
func (t *texts) raw(text string) *C.char {
	made := C.CString(text)
	t.made = append(t.made, made)
	return made
}

// call calls a function with these strings and frees them.
func (t *texts) call(do func(err **C.tinyci_error) C.tinyci_code) (C.tinyci_code, error) {
	defer t.free()
	if t.err != nil {
		return C.TINYCI_INVALID_ARG, t.err
	}
	return call(do)
}

func (t *texts) free() {
	for _, made := range t.made {
		C.free(unsafe.Pointer(made))
	}
	t.made = nil
}

// taken copies a string that the library allocated for the caller, and frees it.
func taken(text *C.char) string {
	defer C.tinyci_string_free(text)
	return C.GoString(text)
}

// lines splits a string into its lines.
func lines(text string) []string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// bytesOf copies bytes that belong to an object of the library.
func bytesOf(data *C.uint8_t, length C.size_t) []byte {
	return C.GoBytes(unsafe.Pointer(data), C.int(length))
}

// pointer returns the address of bytes; it is valid only during a call.
func pointer(data []byte) *C.uint8_t {
	if len(data) == 0 {
		return nil
	}
	return (*C.uint8_t)(unsafe.Pointer(&data[0]))
}

// printable replaces what C does not accept in a message.
func printable(message string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(message, "\x00", "\uFFFD"), "\uFFFD")
}

// milliseconds rounds up, so that a limit below one millisecond does not become 0, which is no limit.
func milliseconds(d time.Duration) int64 {
	rounded := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		rounded++
	}
	return rounded
}

func flag(yes bool) C.int32_t {
	if yes {
		return 1
	}
	return 0
}
