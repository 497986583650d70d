package tinyci

// #include <tinyci.h>
import "C"

import "runtime"

// A Format is the language of a pipeline config.
type Format int32

const (
	// YAML, as in .tinyci.yml.
	YAML Format = C.TINYCI_FORMAT_YAML
	// Rhai is the script language of .tinyci.rhai.
	Rhai Format = C.TINYCI_FORMAT_RHAI
)

// A Pipeline has the steps of one config, in the order of a run. Goroutines can share it, and it does not
// have to be closed.
type Pipeline struct {
	c *C.tinyci_pipeline
}

// ParsePipeline parses a pipeline that is not in a commit. The name, such as "nightly.yml", is for error
// messages. Use [Engine.ParsePipeline] for a script that imports files or calls registered functions.
func ParsePipeline(text string, format Format, name string) (*Pipeline, error) {
	if err := compatible(); err != nil {
		return nil, err
	}
	return parsePipeline(nil, text, format, name)
}

// ParsePipeline is like the function ParsePipeline, with the registered functions of this engine. Imports
// are relative to its path.
func (e *Engine) ParsePipeline(text string, format Format, name string) (pipeline *Pipeline, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		pipeline, err = parsePipeline(c, text, format, name)
		return err
	})
	return pipeline, err
}

// Pipeline loads the pipeline of a commit. The error is ErrNotFound if the commit does not exist or has no
// config, and ErrConfig or ErrScript if the config is not valid.
func (e *Engine) Pipeline(revision string) (pipeline *Pipeline, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		var t texts
		rev := t.of("revision", revision)
		pipeline, err = newPipeline(&t, func(out **C.tinyci_pipeline, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_pipeline_load(c, rev, out, err)
		})
		return err
	})
	return pipeline, err
}

func parsePipeline(engine *C.tinyci_engine, text string, format Format, name string) (*Pipeline, error) {
	var t texts
	config, called := t.raw(text), t.of("name", name)
	return newPipeline(&t, func(out **C.tinyci_pipeline, err **C.tinyci_error) C.tinyci_code {
		length := C.size_t(len(text))
		return C.tinyci_pipeline_parse(engine, config, length, C.int32_t(format), called, out, err)
	})
}

func newPipeline(t *texts, do func(**C.tinyci_pipeline, **C.tinyci_error) C.tinyci_code) (*Pipeline, error) {
	var c *C.tinyci_pipeline
	if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code { return do(&c, err) }); err != nil {
		return nil, err
	}
	pipeline := &Pipeline{c: c}
	// This frees memory only, so the garbage collector does not block.
	runtime.SetFinalizer(pipeline, func(p *Pipeline) { C.tinyci_pipeline_free(p.c) })
	return pipeline, nil
}

// Steps returns the names of the pipeline's steps, such as "before_build" and "build".
func (p *Pipeline) Steps() []string {
	steps := make([]string, C.tinyci_pipeline_step_count(p.c))
	for index := range steps {
		steps[index] = C.GoString(C.tinyci_pipeline_step_name(p.c, C.size_t(index)))
	}
	runtime.KeepAlive(p)
	return steps
}

// Interpolate fills in the placeholders of a template: <%= name %> becomes the value of the variable, and
// <%% becomes <%. If a shell could take a value for more than one word, the error is ErrInterpolate, with
// line and column.
func Interpolate(template string, vars map[string]string) (string, error) {
	if err := compatible(); err != nil {
		return "", err
	}
	c := C.tinyci_vars_new()
	defer C.tinyci_vars_free(c)
	for name, value := range vars {
		var t texts
		key, text := t.of("variable", name), t.of("value", value)
		if _, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_vars_set(c, key, text, err)
		}); err != nil {
			return "", err
		}
	}
	var t texts
	var out *C.char
	tmpl := t.of("template", template)
	_, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_interpolate(tmpl, c, &out, err)
	})
	return taken(out), err
}
