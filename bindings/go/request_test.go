package tinyci_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tinyci"
)

func TestAHookSetsVariables(t *testing.T) {
	repo := with(t, "build: echo build <%= release %>\nhooks: {before_build: 'echo own <%= release %>'}\n")
	engine := repo.open(tinyci.OnHook("before_build", func(h *tinyci.Hook) error {
		check(t, "name", h.Name, "before_build")
		check(t, "step", h.Step, "before_build")
		check(t, "commit", h.Commit, repo.git("rev-parse", "HEAD"))
		check(t, "config there", exists(filepath.Join(h.ExportDir, ".tinyci.yml")), true)
		if h.JobID == "" || h.Context().Err() != nil {
			t.Errorf("%+v", h)
		}
		if err := h.SetVar("no name", "x"); !errors.Is(err, tinyci.ErrInvalidArg) {
			t.Errorf("a bad name: %v", err)
		}
		return h.SetVar("release", "42")
	}))
	check(t, "output", green(t, engine), "own 42\nbuild 42\n")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestAnErrorOfAHookLeavesNoVerdictAndComesOutOfTheLoop(t *testing.T) {
	repo := with(t, "build: echo built\nhooks: {after_all: echo cleaned}\n")
	cause := &os.PathError{Op: "open", Path: "/freeze", Err: os.ErrPermission}
	run := repo.open(tinyci.OnHook("before_build", func(*tinyci.Hook) error { return cause })).
		Run(context.Background(), tinyci.Pending)
	check(t, "output", pull(run), "cleaned\n")
	var path *os.PathError
	if !errors.As(run.Err(), &path) || path != cause || !strings.Contains(run.Err().Error(), "before_build") {
		t.Errorf("%v", run.Err())
	}
	record := run.Records()[0]
	check(t, "kind", errors.Is(run.Err(), tinyci.ErrHostFault), true)
	check(t, "outcome", record.Outcome, tinyci.OutcomeError)
	check(t, "step", strings.HasSuffix(record.Steps[0].Error, cause.Error()), true)
	check(t, "verdict", repo.verdict("HEAD"), "")
}

func TestARefusalFailsTheStepAndIsNoError(t *testing.T) {
	repo := with(t, "build: echo built\n")
	run := repo.open(tinyci.OnHook("before_build", func(*tinyci.Hook) error {
		return fmt.Errorf("today: %w", &tinyci.Refusal{Message: "frozen", Code: 7})
	})).Run(context.Background(), tinyci.Pending)
	check(t, "output", pull(run), "")
	check(t, "error", run.Err(), nil)
	check(t, "step", run.Records()[0].Steps[0].Error, "today: frozen (code 7)")
	check(t, "outcome", run.Outcome(), tinyci.Failure)
	check(t, "text", tinyci.Refuse("not on a %s", "Friday").Error(), "not on a Friday")
}

func TestAHookSkipsWhatTheConfigHas(t *testing.T) {
	repo := with(t, "build: echo built\nhooks: {before_build: echo own}\n")
	engine := repo.open(
		tinyci.OnHook("before_build", func(h *tinyci.Hook) error { h.Skip("not today"); return nil }),
		tinyci.OnHook("before_build", func(*tinyci.Hook) error { return errors.New("comes after a skip") }),
	)
	check(t, "output", green(t, engine), "built\n")
}

func TestAPanicOfAHookLeavesNoVerdictAndStopsTheRun(t *testing.T) {
	repo := with(t, "build: echo built\n")
	run := repo.open(tinyci.OnHook("before_build", func(*tinyci.Hook) error { panic("at the disco") })).
		Run(context.Background(), tinyci.Pending)
	func() {
		defer func() { check(t, "panic", recover(), "at the disco") }()
		pull(run)
		t.Error("the panic did not come out of the loop")
	}()
	check(t, "next", run.Next(), false)
	check(t, "verdict", repo.verdict("HEAD"), "")
	check(t, "error", errors.Is(run.Err(), os.ErrClosed), true)
}

func script(t *testing.T, text string) *repository {
	t.Helper()
	if !tinyci.HasFeature("rhai") {
		t.Skip("the library was built without scripts")
	}
	repo := newRepository(t)
	repo.commit(".tinyci.rhai", text)
	return repo
}

type status string

func TestFunctionsTakeAndGiveEveryKindOfValue(t *testing.T) {
	const big = math.MaxInt64
	given := []any{nil, true, int8(-5), uint(7), int64(big), 1.5, 2.0, "text", "a\x00b", status("up"),
		[]string{"a", "b"}, []float64{1, 2.5}, map[string]any{"list": []any{1, 2.0, nil}, "f": 3.0},
		struct {
			Name string `json:"name"`
		}{"ada"}, time.Duration(3), [2]bool{true, false}, []byte(nil)}
	want := `|()|true|-5|7|9223372036854775807|1.5|2.0|text|a` + "\x00" + `b|up|["a", "b"]|[1.0, 2.5]|`
	repo := script(t, `fn build() {
		handlers::take((), true, -5, 1.5, "a\x00b", [1, 2.0, "a"], #{ k: (), f: 3.0 });
		let text = "";
		for n in 0..12 { let v = give(n); text += "|" + if v == () { "()" } else { v.to_string() }; }
		print(text);
		let map = give(12);
		print([type_of(map.list[0]), type_of(map.list[1]), type_of(map.f)]);
		print([give(13).name, give(14), give(15)]);
	}`)
	engine := repo.open(
		tinyci.Function("handlers::take", 0, 7, tinyci.External, "Takes values.", func(c *tinyci.Call) (any, error) {
			check(t, "arguments", c.Args, []any{nil, true, int64(-5), 1.5, "a\x00b",
				[]any{int64(1), 2.0, "a"}, map[string]any{"k": nil, "f": 3.0}})
			var none any = "still"
			var yes bool
			var number int16
			var half float32
			var text string
			var list []any
			var table map[string]any
			if err := c.Scan(&none, &yes, &number, &half, &text, &list, &table); err != nil {
				t.Error(err)
			}
			check(t, "scanned", []any{none, yes, number, half, text}, []any{nil, true, int16(-5), float32(1.5), "a\x00b"})
			return nil, nil
		}),
		tinyci.Function("give", 1, 1, tinyci.Pure, "", func(c *tinyci.Call) (any, error) {
			var n int
			err := c.Scan(&n)
			return given[n], err
		}),
	)
	output := strings.Split(green(t, engine), "\n")
	check(t, "values", output[0]+"|", want)
	check(t, "kinds", output[1], `["i64", "f64", "f64"]`)
	check(t, "rest", output[2], `["ada", 3, [true, false]]`)
}

func TestNoScriptCatchesAFault(t *testing.T) {
	repo := script(t, `fn build() { try { ask() } catch { } }`)
	fault := errors.New("the vault is down")
	run := repo.open(tinyci.Function("ask", 0, 0, tinyci.Pure, "", func(*tinyci.Call) (any, error) {
		return nil, fault
	})).Run(context.Background(), tinyci.Pending)
	pull(run)
	check(t, "error", errors.Is(run.Err(), fault), true)
	check(t, "outcome", run.Outcome(), tinyci.OutcomeError)
}

func TestRefusalsOfFunctionsAreTheScriptsToCatch(t *testing.T) {
	repo := script(t, `fn build() {
		try { refuse() } catch (e) { print("caught " + e); }
		print(optional());
	}`)
	run := repo.open(
		tinyci.Function("refuse", 0, 0, tinyci.Pure, "", func(*tinyci.Call) (any, error) {
			return nil, tinyci.Refuse("no")
		}),
		tinyci.Function("optional", 0, 1, tinyci.Pure, "", func(c *tinyci.Call) (any, error) {
			word := "default"
			return word, c.Scan(&word)
		}),
	).Run(context.Background(), tinyci.Pending)
	output := pull(run)
	if !strings.Contains(output, "caught") || !strings.Contains(output, "no") || !strings.Contains(output, "default") {
		t.Error(output)
	}
	check(t, "error", run.Err(), nil)
	check(t, "outcome", run.Outcome(), tinyci.Success)
}

func TestWhatAFunctionCannotGiveIsAFault(t *testing.T) {
	for name, value := range map[string]any{"a channel": make(chan int), "too large": uint64(math.MaxUint64),
		"no text": "\xff"} {
		repo := script(t, `fn build() { give(); }`)
		run := repo.open(tinyci.Function("give", 0, 0, tinyci.Pure, "", func(*tinyci.Call) (any, error) {
			return value, nil
		})).Run(context.Background(), tinyci.Pending)
		pull(run)
		check(t, name+": outcome", run.Outcome(), tinyci.OutcomeError)
		if run.Err() == nil || !strings.Contains(run.Err().Error(), "give") {
			t.Errorf("%s: %v", name, run.Err())
		}
	}
}

func TestSecretsComeFromTheProgramAndAreMasked(t *testing.T) {
	repo := with(t, "build:\n  run: ['printf \"%s\" \"$TOKEN\" | wc -c', 'echo $TOKEN', 'echo $FILE']\n  secrets: [TOKEN, FILE]\n")
	directory := filepath.Join(t.TempDir(), "secrets")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(directory, "FILE"), []byte("opensesame"), 0o600); err != nil {
		t.Fatal(err)
	}
	engine := repo.open(tinyci.Setting("secretsDir", directory), tinyci.Setting("secretRefs", "refs/heads/*"),
		tinyci.OnSecret(func(s *tinyci.Secret) ([]byte, error) {
			if s.Name == "TOKEN" {
				return []byte("swordfish"), nil
			}
			return nil, nil
		}))
	output := green(t, engine)
	if !strings.HasPrefix(output, "9\n") || strings.Contains(output, "swordfish") || strings.Contains(output, "opensesame") {
		t.Error(output)
	}
}

func TestTheProgramRunsTheCommands(t *testing.T) {
	repo := with(t, "build: 'echo $WHO; echo $TINYCI_STEP >&2; pwd; exit 4'\nhooks: {after_all: kill -TERM $$}\n")
	var calls atomic.Int32
	run := repo.open(tinyci.Env("WHO", "ada"), tinyci.UnsetEnv("HOME"), tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) {
		calls.Add(1)
		cmd := c.Cmd()
		cmd.Args = []string{"/bin/sh", "-c", "echo wrapped ${HOME-nowhere}; " + c.Shell}
		return c.Run(cmd)
	})).Run(context.Background(), tinyci.Pending)
	output := pull(run)
	check(t, "error", run.Err(), nil)
	check(t, "calls", calls.Load(), int32(2))
	if !strings.HasPrefix(output, "wrapped nowhere\nada\n") {
		t.Error(output)
	}
	record := run.Records()[0]
	check(t, "outcome", record.Outcome, tinyci.Failure)
	check(t, "exit", record.Steps[0].Commands[0].ExitCode, 4)
	check(t, "signal", record.Steps[1].Commands[0].Signal, 15)
}

func TestACommandHasItsOwnEnvironmentAndNothingOfThePrograms(t *testing.T) {
	t.Setenv("GIT_PREFIX", "sub/")
	t.Setenv("TOKEN", "secret")
	t.Setenv("LC_ODD", "a\xff")
	repo := with(t, "build: env\n")
	run := repo.open(tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) {
		check(t, "odd", c.Env["LC_ODD"], "a\xff")
		return c.Run(c.Cmd())
	})).Run(context.Background(), tinyci.Pending)
	output := pull(run)
	check(t, "error", run.Err(), nil)
	if !strings.Contains(output, "PATH=") || strings.Contains(output, "GIT_PREFIX=") || strings.Contains(output, "TOKEN=") {
		t.Error(output)
	}
}

func TestCommandsOfSeveralJobsRunAtOnce(t *testing.T) {
	repo := with(t, "build: together\n")
	repo.commit("more", "x")
	meeting := make(chan bool)
	engine := repo.open(tinyci.Jobs(2), tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) {
		// Each waits for the other.
		select {
		case meeting <- true:
		case <-meeting:
		case <-c.Context().Done():
			return tinyci.Exit{}, c.Context().Err()
		}
		fmt.Fprintln(c.Stdout, c.Shell)
		return tinyci.Exit{}, nil
	}))
	check(t, "output", green(t, engine), "together\ntogether\n")
}

func TestMuchOutputOfTheProgramsCommandsComesWhole(t *testing.T) {
	repo := with(t, "build: much\n")
	line := strings.Repeat("x", 1023) + "\n"
	const count = 8 << 10
	run := repo.open(tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) {
		for n := 0; n < count; n++ {
			if _, err := c.Stdout.Write([]byte(line)); err != nil {
				return tinyci.Exit{}, err
			}
		}
		return tinyci.Exit{}, nil
	})).Run(context.Background(), tinyci.Pending)
	bytes := 0
	for run.Next() {
		if output, ok := run.Event().(tinyci.Output); ok {
			bytes += len(output.Data)
		}
	}
	check(t, "error", run.Err(), nil)
	check(t, "bytes", bytes, count*len(line))
}

func TestAnErrorOfTheExecutorIsAFault(t *testing.T) {
	repo := with(t, "build: anything\n")
	run := repo.open(tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) {
		return c.Run(exec.Command("/no/such/program"))
	})).Run(context.Background(), tinyci.Pending)
	pull(run)
	check(t, "error", errors.Is(run.Err(), os.ErrNotExist), true)
	check(t, "outcome", run.Outcome(), tinyci.OutcomeError)
}

func TestACancelEndsTheProgramsCommandsAndStillRunsAfterAll(t *testing.T) {
	repo := with(t, sleeping)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run := repo.open(tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) { return c.Run(c.Cmd()) })).
		Run(ctx, tinyci.Pending)
	for run.Next() {
		if _, ok := run.Event().(tinyci.Output); ok {
			cancel()
		}
	}
	check(t, "error", errors.Is(run.Err(), context.Canceled), true)
	check(t, "outcome", run.Outcome(), tinyci.Canceled)
	gone(t, repo.pid("pid"))
	check(t, "after_all ran", exists(filepath.Join(repo.path, "cleaned")), true)
}

func TestCloseWaitsForTheProgramsCommands(t *testing.T) {
	repo := with(t, sleeping)
	run := repo.open(tinyci.Executor(func(c *tinyci.Command) (tinyci.Exit, error) { return c.Run(c.Cmd()) })).
		Run(context.Background(), tinyci.Pending)
	for run.Next() {
		if _, ok := run.Event().(tinyci.Output); ok {
			break
		}
	}
	pid := repo.pid("pid")
	run.Close()
	check(t, "alive", alive(pid), false)
}

func TestAHookLearnsThatItsAnswerIsNotNeeded(t *testing.T) {
	repo := with(t, "build: ':'\n")
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), status("key"), "value"))
	defer cancel()
	run := repo.open(tinyci.OnHook("before_build", func(h *tinyci.Hook) error {
		check(t, "value", h.Context().Value(status("key")), "value")
		cancel()
		<-h.Context().Done()
		return h.Context().Err()
	})).Run(ctx, tinyci.Pending)
	pull(run)
	check(t, "error", errors.Is(run.Err(), context.Canceled), true)
	check(t, "outcome", run.Outcome(), tinyci.Canceled)
	check(t, "verdict", repo.verdict("HEAD"), "")
}
