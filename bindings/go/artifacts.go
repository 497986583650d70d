package tinyci

/*
#include "tinyci.h"
*/
import "C"

import (
	"context"
	"encoding/json"
	"strings"
)

// An ArtifactQuery says which artifacts are meant.
type ArtifactQuery struct {
	// Job is a job's id; empty for the newest job of the commit that kept anything.
	Job string
	// Paths are files, directories and globs; none for everything.
	Paths []string
	// Force has CopyArtifacts replace files that exist.
	Force bool
}

// An ArtifactList is what a job kept.
type ArtifactList struct {
	// Commit is the commit that the job tested.
	Commit string
	// JobID is the job's id.
	JobID string `json:"job_id"`
	// Place is where the files are: build, archive, or gone if the build was removed.
	Place string
	// Files and Bytes are all that the job kept.
	Files, Bytes int64
	// Artifacts are the files that were asked for.
	Artifacts []Artifact
	// JSON is all of it, as `tinyci artifacts --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// An Artifact is a file that a job kept.
type Artifact struct {
	// Path is as below the export.
	Path string
	// Bytes is its size.
	Bytes int64
	// Blob is the id that git gives such a file.
	Blob string
	// Executable tells whether it can be executed.
	Executable bool
}

// Artifacts lists the files that a job kept. A removed build has no files anymore; its record still
// lists them.
func (e *Engine) Artifacts(revision string, query ArtifactQuery) (*ArtifactList, error) {
	var t texts
	rev, job := t.of("revision", revision), t.optional("job", query.Job)
	paths := t.optional("path", strings.Join(query.Paths, "\n"))
	list := new(ArtifactList)
	var err error
	list.JSON, err = e.report(&t, list, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
		return C.tinyci_artifacts_json(c, rev, job, paths, out, err)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// CopyArtifacts copies files that a job kept to a directory, also from a packed build. Each is checked
// against the record, and written whole or not at all.
func (e *Engine) CopyArtifacts(ctx context.Context, revision, dir string, query ArtifactQuery) (*ArtifactList, error) {
	list := new(ArtifactList)
	err := stoppable(ctx, func(cancel *C.tinyci_cancel) (err error) {
		var t texts
		rev, job := t.of("revision", revision), t.optional("job", query.Job)
		paths, to := t.optional("path", strings.Join(query.Paths, "\n")), t.of("path", dir)
		var flags C.uint32_t
		if query.Force {
			flags = C.TINYCI_ARTIFACTS_FORCE
		}
		list.JSON, err = e.report(&t, list, func(c *C.tinyci_engine, out **C.char, err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_artifacts_copy(c, rev, job, paths, to, flags, cancel, out, err)
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// RunStep runs steps of one commit by hand, in an export of their own until one fails. Each command
// comes as Output before it runs. Nothing is recorded; the run's one record says how the steps ended.
func (e *Engine) RunStep(ctx context.Context, revision string, steps ...string) *Run {
	return e.runStep(ctx, revision, 0, steps)
}

// RunStepKeeping does the same and leaves the export for a day.
func (e *Engine) RunStepKeeping(ctx context.Context, revision string, steps ...string) *Run {
	return e.runStep(ctx, revision, C.TINYCI_STEPS_KEEP, steps)
}

func (e *Engine) runStep(ctx context.Context, revision string, flags C.uint32_t, steps []string) *Run {
	return e.start(ctx, func(c *C.tinyci_engine, cancel *C.tinyci_cancel, out **C.tinyci_run) error {
		var t texts
		rev, names := t.of("revision", revision), t.of("step", strings.Join(steps, "\n"))
		_, err := t.call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_steps_start(c, rev, names, flags, cancel, out, err)
		})
		return err
	})
}
