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

// A Command is to be run by the program. One of Shell and Argv is set.
type Command struct {
	Request
	// Shell is a text for `/bin/sh -c`.
	Shell string
	// Argv is a program and its arguments.
	Argv []string
	// Dir is the folder to run it in.
	Dir string
	// Env is its whole environment: nothing of this program's own beside it.
	Env map[string]string
	// Nice is how far it is to stand back when others need the processor: 0 to 19.
	Nice int
	// Input is for its standard input.
	Input []byte
	// Timeout is how long it may still take; 0 for as long as it takes. The Context ends then too.
	Timeout time.Duration
	// Stdout and Stderr take what it writes, which comes as Output events, secrets masked. They are
	// the same where the streams are not to be told apart. A write waits while much of it was not
	// pulled, and fails once nobody waits for the command any more.
	Stdout, Stderr io.Writer
}

// An Exit is how a command ended.
type Exit struct {
	// Code is what it exited with; not looked at if a signal ended it.
	Code int
	// Signal is the number of the signal that ended it; 0 for none.
	Signal int
}

// commandOf reads what is to be run.
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
	text := C.GoString(C.tinyci_request_command_json(request.asked.c))
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
	command.Stdout = &output{request.asked, C.TINYCI_STREAM_STDOUT}
	command.Stderr = command.Stdout
	if mirror.Output == "split" {
		command.Stderr = &output{request.asked, C.TINYCI_STREAM_STDERR}
	}
	return command, err
}

// Cmd is the command as os/exec would run it on this machine, to be changed at will: with another
// program in front, say.
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
	// Not nil, with which os/exec would take this program's own.
	cmd.Env = make([]string, 0, len(c.Env))
	for name, value := range c.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// killDelay is how long a process that was asked to end has before it is killed.
const killDelay = 2 * time.Second

// Run runs a process in the place of the command, until it ends or the command's Context does, which
// ends it with all that it started.
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
	asked  *asked
	stream C.int32_t
}

// retryDelay is how long a write waits for the run to be pulled before it tries again.
const retryDelay = 5 * time.Millisecond

func (o *output) Write(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	for {
		status, err := o.asked.use(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_command_output(c, o.stream, pointer(data), C.size_t(len(data)), err)
		})
		if err != nil {
			return 0, err
		}
		if status != C.TINYCI_AGAIN {
			return len(data), nil
		}
		select {
		case <-o.asked.context().Done():
			return 0, &Error{Status: ErrCanceled, Message: "nobody waits for the command any more"}
		case <-time.After(retryDelay):
		}
	}
}

// runCommand answers a command, on a goroutine of its own.
func (d *desk) runCommand(request Request) {
	defer d.commands.Done()
	// After a Goexit too.
	defer request.asked.leave()
	command, err := commandOf(request)
	var exit Exit
	if err == nil {
		exit, err = d.host.command(command)
	}
	if request.asked.isCanceled() {
		// What became of it is not asked, and an error is the cancel's.
		err = nil
	}
	d.settle(request, err, func() error {
		return request.asked.answer(&texts{}, func(c *C.tinyci_request, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_request_command_finish(c, C.int32_t(exit.Code), C.int32_t(exit.Signal), err)
		})
	})
}
