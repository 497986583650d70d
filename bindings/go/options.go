package tinyci

// #include <tinyci.h>
import "C"

import (
	"fmt"
	"math"
	"time"
)

// An Option sets something before an engine is opened. Whatever is not set is looked up in the
// repository's own `git config tinyci.*`.
type Option func(*settings)

// settings are options under way to the library. The first mistake is reported by Open.
type settings struct {
	c      *C.tinyci_options
	host   host
	answer C.uint32_t
	err    error
}

// set calls a setter. The library remembers the first mistake too, but does not see each.
func (s *settings) set(t *texts, do func(err **C.tinyci_error) C.tinyci_code) {
	if _, err := t.call(do); err != nil && s.err == nil {
		s.err = err
	}
}

func (s *settings) refuse(format string, values ...any) {
	if s.err == nil {
		s.err = &Error{Status: ErrInvalidArg, Message: fmt.Sprintf(format, values...)}
	}
}

// Refs sets the full names of the refs whose commits are run, such as "refs/heads/*": * stands for
// any letters, slashes included. All branches are unless said.
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

// Jobs sets how many commits are worked on at once, from 1.
func Jobs(jobs int) Option {
	return func(s *settings) {
		if jobs < 1 || int64(jobs) > math.MaxUint32 {
			s.refuse("Jobs(%d): the number of jobs is 1 or more", jobs)
			return
		}
		s.set(&texts{}, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_jobs(s.c, C.uint32_t(jobs), err)
		})
	}
}

// Timeout sets how long one commit may take, after_all not counted.
func Timeout(limit time.Duration) Option {
	return func(s *settings) {
		s.set(&texts{}, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_job_timeout_ms(s.c, C.int64_t(milliseconds(limit)), err)
		})
	}
}

// BuildsDir sets where build folders stand, below the repository's folder unless absolute.
func BuildsDir(path string) Option {
	return func(s *settings) {
		var t texts
		text := t.of("path", path)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_builds_dir(s.c, text, err)
		})
	}
}

// LogLimit sets how many bytes of one build's output its log keeps, beside the last 64 KiB.
func LogLimit(bytes int64) Option {
	return func(s *settings) {
		if bytes < 1 {
			s.refuse("LogLimit(%d): the limit is 1 byte or more", bytes)
			return
		}
		s.set(&texts{}, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_log_limit(s.c, C.uint64_t(bytes), err)
		})
	}
}

// Setting sets what `git config tinyci.<key> <value>` would, for this engine only. Of a key with
// many values, such as refs, each adds one.
func Setting(key, value string) Option {
	return func(s *settings) {
		var t texts
		name, text := t.of("key", key), t.of("value", value)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_setting(s.c, name, text, err)
		})
	}
}

// By says who acts, as records name it; else it is whom git's configuration names.
func By(name, address string) Option {
	return func(s *settings) {
		var t texts
		who, where := t.of("name", name), t.of("address", address)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_by(s.c, who, where, err)
		})
	}
}

// Env sets a variable in the environment of every command.
func Env(name, value string) Option {
	return func(s *settings) {
		var t texts
		key, text := t.of("variable", name), t.of("value", value)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_env(s.c, key, text, err)
		})
	}
}

// UnsetEnv takes a variable of this program out of the environment of every command.
func UnsetEnv(name string) Option {
	return func(s *settings) {
		var t texts
		key := t.of("variable", name)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_env(s.c, key, nil, err)
		})
	}
}

// Var sets a variable that every command can use in a tag: <%= name %>.
func Var(name, value string) Option {
	return func(s *settings) {
		var t texts
		key, text := t.of("variable", name), t.of("value", value)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_set_var(s.c, key, text, err)
		})
	}
}

// OnHook has a function called at a point of every run, before the config's own hook of that name:
// before_build, after_build_success, after_build_failure, after_build, before_test,
// after_test_success, after_test_failure, after_test or after_all. [Run.Next] calls it. An error
// fails the step, and comes out of [Run.Err] unless it is a [Refusal].
//
// Several at one point are called in their order, until one fails or skips.
func OnHook(point string, hook func(*Hook) error) Option {
	return func(s *settings) {
		var t texts
		text := t.of("hook", point)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_add_hook(s.c, text, err)
		})
		s.host.hooks[point] = append(s.host.hooks[point], hook)
	}
}

// An Effect says what calling a function does to the world.
type Effect int32

const (
	// Pure functions compute or look something up: a plan calls them.
	Pure Effect = C.TINYCI_EFFECT_PURE
	// Control functions direct the script: a plan calls them.
	Control Effect = C.TINYCI_EFFECT_CONTROL
	// External functions act: a plan lists the call and does not make it.
	External Effect = C.TINYCI_EFFECT_EXTERNAL
)

// Function lends a function to scripts, under a name or module::name. It takes from minArgs to
// maxArgs arguments, 8 at most; the doc is a sentence for the reference of the script language.
// [Run.Next] calls it, and what it returns is the script's: nil, a bool, a number, a string, or
// anything that JSON can write. An error is the script's to catch, fails its step if it does not,
// and comes out of [Run.Err] unless it is a [Refusal].
func Function(name string, minArgs, maxArgs int, effect Effect, doc string, function func(*Call) (any, error)) Option {
	return func(s *settings) {
		if minArgs < 0 || maxArgs < 0 {
			s.refuse("Function %q takes %d to %d arguments: none is the least", name, minArgs, maxArgs)
			return
		}
		var t texts
		called, text := t.of("function", name), t.optional("doc", doc)
		s.set(&t, func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_options_add_function(s.c, called, C.uint32_t(minArgs), C.uint32_t(maxArgs),
				C.int32_t(effect), text, err)
		})
		s.host.functions[name] = function
	}
}

// OnSecret has a function called for the value of each secret that a commit may have. [Run.Next]
// calls it. Nil, without an error, says that there is none of this name here, and the folder of
// `tinyci.secretsDir` is looked into.
func OnSecret(secret func(*Secret) ([]byte, error)) Option {
	return func(s *settings) {
		s.host.secret = secret
		s.answer |= C.TINYCI_HANDLER_SECRET
	}
}

// OnApproval has a function called where a deployment needs an approval that nobody gave in the
// repository. [Run.Next] calls it. It returns who approves, such as "Ada <ada@example.org>"; "" says
// that nobody has yet, and the deployment waits.
func OnApproval(approval func(*ApprovalRequest) (by string, err error)) Option {
	return func(s *settings) {
		s.host.approval = approval
		s.answer |= C.TINYCI_HANDLER_APPROVAL
	}
}

// OnCommand has a function run the commands, in the place of this machine's shell. Each call has a
// goroutine of its own; several are under way where several jobs are, or a script says `parallel`.
// It has to return soon after the [Request.Context] of its command ends: Next and Close wait.
func OnCommand(command func(*Command) (Exit, error)) Option {
	return func(s *settings) {
		s.host.command = command
		s.answer |= C.TINYCI_HANDLER_EXECUTOR
	}
}
