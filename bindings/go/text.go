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

// texts are Go's strings as C takes them, for one call.
type texts struct {
	made []*C.char
	err  error
}

// of copies a text, which must hold no NUL: C would take it for the end. The first that does is
// remembered, and reported by call.
func (t *texts) of(what, text string) *C.char {
	if strings.IndexByte(text, 0) >= 0 && t.err == nil {
		message := fmt.Sprintf("%s %q holds a NUL byte", what, text)
		t.err = &Error{Status: ErrInvalidArg, Message: message}
	}
	return t.raw(text)
}

// optional is NULL for an empty text.
func (t *texts) optional(what, text string) *C.char {
	if text == "" {
		return nil
	}
	return t.of(what, text)
}

// raw copies a text whose length is told beside it.
func (t *texts) raw(text string) *C.char {
	made := C.CString(text)
	t.made = append(t.made, made)
	return made
}

// call calls a function that was given these texts, and frees them.
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

// taken is a text that the library made for the caller.
func taken(text *C.char) string {
	defer C.tinyci_string_free(text)
	return C.GoString(text)
}

// lines are what stands in a text line by line.
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

// pointer is where bytes stand; good only during a call.
func pointer(data []byte) *C.uint8_t {
	if len(data) == 0 {
		return nil
	}
	return (*C.uint8_t)(unsafe.Pointer(&data[0]))
}

// printable is a message that C can take, whatever a program wrote into it.
func printable(message string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(message, "\x00", "\uFFFD"), "\uFFFD")
}

// milliseconds rounds up, so that a short limit does not become none.
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
