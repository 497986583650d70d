package tinyci

// #include <tinyci.h>
import "C"

// A Hook is one call of a hook callback.
type Hook struct {
	Request
	// Outcome is the outcome of the commit so far.
	Outcome Outcome

	skipped bool
	reason  string
}

// SetVar sets a variable for the placeholders of all later commands. It takes effect if the hook succeeds.
func (h *Hook) SetVar(name, value string) error {
	var t texts
	key, text := t.of("variable", name), t.of("value", value)
	_, err := h.pending.use(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_request_set_var(c, key, text, err)
	})
	return err
}

// Skip keeps the config's own hook from running, if this callback succeeds. The reason, which may be "", is
// for the record.
func (h *Hook) Skip(reason string) {
	h.skipped, h.reason = true, reason
}

func (d *dispatcher) callHook(hook *Hook) {
	var err error
	for _, call := range d.handlers.hooks[hook.Name] {
		if err = call(hook); err != nil || hook.skipped {
			break
		}
	}
	d.settle(hook.Request, err, func() error {
		var t texts
		reason := t.optional("reason", printable(hook.reason))
		return hook.pending.answer(&t, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			if hook.skipped {
				return C.tinyci_request_skip(c, reason, err)
			}
			return C.tinyci_request_ok(c, err)
		})
	})
}

// A Secret is a request for the value of the secret Name.
type Secret struct{ Request }

func (d *dispatcher) callSecret(secret *Secret) {
	if d.handlers.secret == nil {
		return
	}
	value, err := d.handlers.secret(secret)
	d.settle(secret.Request, err, func() error {
		return secret.pending.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			if value == nil {
				return C.tinyci_request_return_null(c, err)
			}
			return C.tinyci_request_return_bytes(c, pointer(value), C.size_t(len(value)), err)
		})
	})
}
