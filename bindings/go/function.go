package tinyci

// #include <tinyci.h>
import "C"

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// A Call is one call of a registered function by a script.
type Call struct {
	Request
	// Args are the arguments: nil, bool, int64, float64, string, []any or map[string]any.
	Args []any

	json []string
}

// Scan reads the arguments into the values that the pointers point to, as json.Unmarshal does. If the script
// passed fewer arguments, the remaining values do not change; more arguments are an error.
func (c *Call) Scan(into ...any) error {
	if len(c.json) > len(into) {
		return fmt.Errorf("%s takes at most %d arguments, got %d", c.Name, len(into), len(c.json))
	}
	for index, text := range c.json {
		if err := json.Unmarshal([]byte(text), into[index]); err != nil {
			return fmt.Errorf("argument %d of %s: %w", index+1, c.Name, err)
		}
	}
	return nil
}

func callOf(request Request) *Call {
	c := request.pending.c
	call := &Call{Request: request}
	for index := C.size_t(0); index < C.tinyci_request_arg_count(c); index++ {
		text := C.GoString(C.tinyci_request_arg_json(c, index))
		call.json = append(call.json, text)
		call.Args = append(call.Args, argument(c, index, text))
	}
	return call
}

func argument(c *C.tinyci_request, index C.size_t, text string) any {
	switch C.tinyci_request_arg_kind(c, index) {
	case C.TINYCI_VALUE_BOOL:
		return C.tinyci_request_arg_int(c, index) != 0
	case C.TINYCI_VALUE_INT:
		return int64(C.tinyci_request_arg_int(c, index))
	case C.TINYCI_VALUE_FLOAT:
		return float64(C.tinyci_request_arg_float(c, index))
	case C.TINYCI_VALUE_STRING, C.TINYCI_VALUE_ARRAY, C.TINYCI_VALUE_MAP:
		return parsed(text)
	default:
		return nil
	}
}

// parsed reads JSON, with integers as int64.
func parsed(text string) any {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil
	}
	return withNumbers(value)
}

func withNumbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		fraction, _ := value.Float64()
		return fraction
	case []any:
		for index := range value {
			value[index] = withNumbers(value[index])
		}
	case map[string]any:
		for key := range value {
			value[key] = withNumbers(value[key])
		}
	}
	return value
}

func (d *dispatcher) callFunction(call *Call) {
	function := d.handlers.functions[call.Name]
	if function == nil {
		return
	}
	value, err := function(call)
	d.settle(call.Request, err, func() error { return call.give(value) })
}

// give answers with a value.
func (c *Call) give(value any) error {
	switch v := reflect.ValueOf(value); {
	case value == nil:
		return c.pending.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_return_null(c, err)
		})
	case isMarshaler(value):
		return c.giveJSON(value)
	case v.Kind() == reflect.Bool:
		return c.pending.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_return_bool(c, flag(v.Bool()), err)
		})
	case v.CanInt():
		return c.giveInt(v.Int())
	case v.CanUint() && v.Uint() <= math.MaxInt64:
		return c.giveInt(int64(v.Uint()))
	case v.CanUint():
		return fmt.Errorf("%s returned %d, which does not fit into an int of a script", c.Name, v.Uint())
	case v.CanFloat():
		return c.pending.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_return_float(c, C.double(v.Float()), err)
		})
	case v.Kind() == reflect.String && strings.IndexByte(v.String(), 0) < 0:
		var t texts
		text := t.raw(v.String())
		return c.pending.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_return_string(c, text, err)
		})
	default:
		return c.giveJSON(fractions(v))
	}
}

func (c *Call) giveInt(value int64) error {
	return c.pending.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_return_int(c, C.int64_t(value), err)
	})
}

func (c *Call) giveJSON(value any) error {
	written, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("%s returned a value that JSON cannot represent: %w", c.Name, err)
	}
	var t texts
	text := t.raw(string(written))
	return c.pending.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_return_json(c, text, err)
	})
}

func isMarshaler(value any) bool {
	switch value.(type) {
	case json.Marshaler, encoding.TextMarshaler:
		return true
	}
	return false
}

// fractions writes 2.0 in an array or map as 2.0. JSON would write 2, which is an int.
func fractions(v reflect.Value) any {
	switch {
	case !v.IsValid():
		return nil
	case isMarshaler(v.Interface()):
		return v.Interface()
	case v.CanFloat():
		if number := v.Float(); number == math.Trunc(number) && math.Abs(number) < 1e15 {
			return json.Number(strconv.FormatFloat(number, 'f', 1, 64))
		}
	case v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer:
		return fractions(v.Elem())
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8:
		array := make([]any, v.Len())
		for index := range array {
			array[index] = fractions(v.Index(index))
		}
		return array
	case v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String:
		table := make(map[string]any, v.Len())
		for _, key := range v.MapKeys() {
			table[key.String()] = fractions(v.MapIndex(key))
		}
		return table
	}
	return v.Interface()
}
