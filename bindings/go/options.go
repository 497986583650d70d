package tinyci

// #include <tinyci.h>
import "C"

import (
	"fmt"
	"math"
	"time"
)

// An Option sets something before the engine is opened. Everything else comes from the repository's
// `git config tinyci.*`.
type Option func(*settings)

// settings are the options of an engine that is being opened. Open returns the first error.
type settings struct {
	c        *C.tinyci_options
	handlers handlers
	answer   C.uint32_t
	err      error
}

// set calls a setter. The library also keeps its first error, but not the errors of this package.
func (s *settings) set(t *texts, do func(err **C.tinyci_error) C.tinyci_code) {
	if _, err := t.call(do); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *settings) refuse(format string, values ...any) {
	if s.err == nil {
		s.err = &Error{Code: ErrInvalidArg, Message: fmt.Sprintf(format, values...)}
	}
}

// Refs sets the full names of the refs whose commits are tested, such as "refs/heads/*". A * matches any
// characters, slashes included. Default: all branches.
func Refs(globs ...string) Option {
	return func(s *settings) {
		for _, glob := range globs {
			var t texts
			text := t.of("ref", glob)
			s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
				return C.tinyci_options_add_ref(s.c, text, err)
			})
		}
	}
}

// Jobs sets how many commits are tested at the same time, at least 1.
func Jobs(jobs int) Option {
	return func(s *settings) {
		if jobs < 1 || int64(jobs) > math.MaxUint32 {
			s.refuse("Jobs(%d): expected at least 1", jobs)
			return
		}
		s.set(&texts{}, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_jobs(s.c, C.uint32_t(jobs), err)
		})
	}
}

// JobTimeout sets the time limit of one job. after_all does not count.
func JobTimeout(limit time.Duration) Option {
	return func(s *settings) {
		s.set(&texts{}, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_job_timeout_ms(s.c, C.int64_t(milliseconds(limit)), err)
		})
	}
}

// BuildsDir sets the directory of the builds. A relative path is relative to [Engine.Path].
func BuildsDir(path string) Option {
	return func(s *settings) {
		var t texts
		text := t.of("path", path)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_builds_dir(s.c, text, err)
		})
	}
}

// LogLimit sets how many bytes of output the log keeps per job. The last 64 KiB are kept in addition.
func LogLimit(bytes int64) Option {
	return func(s *settings) {
		if bytes < 1 {
			s.refuse("LogLimit(%d): expected at least 1 byte", bytes)
			return
		}
		s.set(&texts{}, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_log_limit(s.c, C.uint64_t(bytes), err)
		})
	}
}

// Setting sets the value of `git config tinyci.<key>` for this engine only. If a key can have several
// values, such as refs, each call adds one.
func Setting(key, value string) Option {
	return func(s *settings) {
		var t texts
		name, text := t.of("key", key), t.of("value", value)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_setting(s.c, name, text, err)
		})
	}
}

// By sets the name and mail address that records name as the actor. Default: git's user.name and
// user.email.
func By(name, address string) Option {
	return func(s *settings) {
		var t texts
		who, where := t.of("name", name), t.of("address", address)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_by(s.c, who, where, err)
		})
	}
}

// Env sets an environment variable of every command.
func Env(name, value string) Option {
	return func(s *settings) {
		var t texts
		key, text := t.of("variable", name), t.of("value", value)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_env(s.c, key, text, err)
		})
	}
}

// UnsetEnv removes a variable of this program from the environment of every command.
func UnsetEnv(name string) Option {
	return func(s *settings) {
		var t texts
		key := t.of("variable", name)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_env(s.c, key, nil, err)
		})
	}
}

// Var sets a variable that every command can use as a placeholder: <%= name %>.
func Var(name, value string) Option {
	return func(s *settings) {
		var t texts
		key, text := t.of("variable", name), t.of("value", value)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_var(s.c, key, text, err)
		})
	}
}

// OnHook registers a hook callback: tinyci calls the function before the config's own hook of that name,
// which is before_build, after_build_success, after_build_failure, after_build, before_test,
// after_test_success, after_test_failure, after_test or after_all. [Run.Next] makes the call. If the
// function returns an error, the step fails; [Run.Err] returns the error unless it is a [Refusal].
//
// Several functions for one hook are called in the order of registration, until one fails or skips.
func OnHook(point string, hook func(*Hook) error) Option {
	return func(s *settings) {
		var t texts
		text := t.of("hook", point)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_add_hook(s.c, text, err)
		})
		s.handlers.hooks[point] = append(s.handlers.hooks[point], hook)
	}
}

// An Effect says whether a function changes anything outside the script.
type Effect int32

const (
	// Pure functions compute or read something. A dry run calls them.
	Pure Effect = C.TINYCI_EFFECT_PURE
	// Control functions direct the script. A dry run calls them.
	Control Effect = C.TINYCI_EFFECT_CONTROL
	// External functions change something. A dry run lists the call instead of making it.
	External Effect = C.TINYCI_EFFECT_EXTERNAL
)

// Function registers a function that scripts can call, under a name or module::name. It takes from minArgs
// to maxArgs arguments, at most 8. The doc is one sentence for the script reference.
//
// [Run.Next] makes the call. The result is nil, a bool, a number, a string, or a value that encoding/json
// can write. A script can catch a [Refusal]; else it fails the step. Any other error ends the job without
// a verdict, and [Run.Err] returns it.
func Function(name string, minArgs, maxArgs int, effect Effect, doc string, function func(*Call) (any, error)) Option {
	return func(s *settings) {
		if minArgs < 0 || maxArgs < 0 {
			s.refuse("Function %q: expected 0 or more arguments, got %d to %d", name, minArgs, maxArgs)
			return
		}
		var t texts
		called, text := t.of("function", name), t.optional("doc", doc)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_add_function(s.c, called, C.uint32_t(minArgs), C.uint32_t(maxArgs),
				C.int32_t(effect), text, err)
		})
		s.handlers.functions[name] = function
	}
}

// OnSecret registers a function that returns the values of the secrets that a commit may use. [Run.Next]
// makes the call. If the function returns nil without an error, tinyci looks in the directory of
// `tinyci.secretsDir`.
func OnSecret(secret func(*Secret) ([]byte, error)) Option {
	return func(s *settings) {
		s.handlers.secret = secret
		s.answer |= C.TINYCI_HANDLER_SECRET
	}
}

// OnApproval registers a function that tinyci calls if a deployment needs an approval and the repository
// has none. [Run.Next] makes the call. The function returns the approver, such as
// "Ada <ada@example.org>", or "" if there is no approval yet: the deployment then awaits one.
func OnApproval(approval func(*ApprovalRequest) (by string, err error)) Option {
	return func(s *settings) {
		s.handlers.approval = approval
		s.answer |= C.TINYCI_HANDLER_APPROVAL
	}
}

// Executor registers a function that runs the commands instead of this machine's shell. Each call has its
// own goroutine; calls overlap if there are several jobs or a script uses `parallel`. The function must
// return soon after the [Request.Context] of its command ends, because Next and Close wait for it.
func Executor(command func(*Command) (Exit, error)) Option {
	return func(s *settings) {
		s.handlers.command = command
		s.answer |= C.TINYCI_HANDLER_EXECUTOR
	}
}
