package tinyci

// #include <tinyci.h>
import "C"

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A Command is a command for the program's [Executor]. Either Shell or Argv is set.
type Command struct {
	Request
	// Shell is a script for `/bin/sh -c`.
	Shell string
	// Argv is a program and its arguments.
	Argv []string
	// Dir is the working directory.
	Dir string
	// Env is the complete environment; the command gets no other variables.
	Env map[string]string
	// Nice is the niceness of the command, 0 to 19; see nice(1).
	Nice int
	// Input is the standard input.
	Input []byte
	// Timeout is the time that is left; 0 for no limit. The Context ends when it is over.
	Timeout time.Duration
	// Stdout and Stderr take the command's output, which tinyci masks and sends as Output events. They are
	// the same if the streams are merged. A write blocks while the event buffer is full, and fails once the
	// command's result is no longer needed.
	Stdout, Stderr io.Writer
}

// An Exit says how a command ended.
type Exit struct {
	// Code is the exit code; ignored if Signal is not 0.
	Code int
	// Signal is the number of the signal that ended the command; 0 for none.
	Signal int
}

// commandOf reads the command of a request.
func commandOf(request Request) (*Command, error) {
	var mirror struct {
		Shell, Cwd, Input, Output string
		Argv                      []string
		Env                       map[string]string
		EnvHex                    [][2]string `json:"env_hex"`
		Nice                      int
		InputHex                  string `json:"input_hex"`
		Timeout                   int64  `json:"timeout_ms"`
	}
	text := C.GoString(C.tinyci_request_command_json(request.pending.c))
	err := json.Unmarshal([]byte(text), &mirror)
	if err == nil {
		err = exact(&mirror.Input, mirror.InputHex)
	}
	for _, pair := range mirror.EnvHex {
		name, value := "", ""
		for text, digits := range map[*string]string{&name: pair[0], &value: pair[1]} {
			if wrong := exact(text, digits); wrong != nil {
				err = wrong
			}
		}
		mirror.Env[name] = value
	}
	command := &Command{
		Request: request, Shell: mirror.Shell, Argv: mirror.Argv, Dir: mirror.Cwd, Env: mirror.Env,
		Nice: mirror.Nice, Input: []byte(mirror.Input), Timeout: time.Duration(mirror.Timeout) * time.Millisecond,
	}
	command.Stdout = &output{request.pending, C.TINYCI_STREAM_STDOUT}
	command.Stderr = command.Stdout
	if mirror.Output == "split" {
		command.Stderr = &output{request.pending, C.TINYCI_STREAM_STDERR}
	}
	return command, err
}

// Cmd returns the command as os/exec runs it on this machine. You can change it, for example to put another
// program in front.
func (c *Command) Cmd() *exec.Cmd {
	argv := c.Argv
	if len(argv) == 0 {
		argv = []string{"/bin/sh", "-c", c.Shell}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.Dir, c.Stdout, c.Stderr
	if len(c.Input) > 0 {
		cmd.Stdin = strings.NewReader(string(c.Input))
	}
	// Not nil, because os/exec would then pass on this program's environment.
	cmd.Env = make([]string, 0, len(c.Env))
	for name, value := range c.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// killDelay is the time between SIGTERM and SIGKILL.
const killDelay = 2 * time.Second

// Run runs a process for the command. If the command's Context ends first, Run ends the process and all its
// children.
func (c *Command) Run(cmd *exec.Cmd) (Exit, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		return Exit{}, err
	}
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	var err error
	select {
	case err = <-waited:
	case <-c.Context().Done():
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case err = <-waited:
		case <-time.After(killDelay):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			err = <-waited
		}
	}
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return Exit{}, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return Exit{Signal: int(status.Signal())}, nil
	}
	return Exit{Code: cmd.ProcessState.ExitCode()}, nil
}

// output passes on what a command writes.
type output struct {
	pending *pendingRequest
	stream  C.int32_t
}

// retryDelay is how long a write waits before it tries again, if the event buffer is full.
const retryDelay = 5 * time.Millisecond

func (o *output) Write(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	for {
		code, err := o.pending.use(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_command_output(c, o.stream, pointer(data), C.size_t(len(data)), err)
		})
		if err != nil {
			return 0, err
		}
		if code != C.TINYCI_AGAIN {
			return len(data), nil
		}
		select {
		case <-o.pending.context().Done():
			return 0, &Error{Code: ErrCanceled, Message: "the result of the command is no longer needed"}
		case <-time.After(retryDelay):
		}
	}
}

// runCommand runs a command and answers its request, on a separate goroutine.
func (d *dispatcher) runCommand(request Request) {
	defer d.commands.Done()
	// Also after runtime.Goexit.
	defer request.pending.leave()
	command, err := commandOf(request)
	var exit Exit
	if err == nil {
		exit, err = d.handlers.command(command)
	}
	if request.pending.isCanceled() {
		// The outcome is no longer needed, and the cancellation caused any error.
		err = nil
	}
	d.settle(request, err, func() error {
		return request.pending.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_command_finish(c, C.int32_t(exit.Code), C.int32_t(exit.Signal), err)
		})
	})
}
