package tinyci

// #include <tinyci.h>
import "C"

// A Hook is a point of a run at which the program is asked.
type Hook struct {
	Request
	// Outcome is what is known of the commit so far.
	Outcome Outcome

	skipped bool
	reason  string
}

// SetVar sets a variable that the commands from here on can use in a tag, once the hook has passed.
func (h *Hook) SetVar(name, value string) error {
	var t texts
	key, text := t.of("variable", name), t.of("value", value)
	_, err := h.asked.use(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_set_var(c, key, text, err)
	})
	return err
}

// Skip has what the config has at this point left out, once the hook has passed; the reason, which
// may be "", is for the record.
func (h *Hook) Skip(reason string) {
	h.skipped, h.reason = true, reason
}

func (d *desk) callHook(hook *Hook) {
	var err error
	for _, call := range d.host.hooks[hook.Name] {
		if err = call(hook); err != nil || hook.skipped {
			break
		}
	}
	d.settle(hook.Request, err, func() error {
		var t texts
		reason := t.optional("reason", printable(hook.reason))
		return hook.asked.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			if hook.skipped {
				return C.tinyci_request_skip(c, reason, err)
			}
			return C.tinyci_request_ok(c, err)
		})
	})
}

// A Secret is what a commit may be told; its Name says which.
type Secret struct{ Request }

func (d *desk) callSecret(secret *Secret) {
	if d.host.secret == nil {
		return
	}
	value, err := d.host.secret(secret)
	d.settle(secret.Request, err, func() error {
		return secret.asked.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			if value == nil {
				return C.tinyci_request_return_null(c, err)
			}
			return C.tinyci_request_return_bytes(c, pointer(value), C.size_t(len(value)), err)
		})
	})
}
