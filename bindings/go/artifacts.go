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

// An ArtifactQuery selects artifacts.
type ArtifactQuery struct {
	// JobID is the id of a job; "" for the commit's newest job that kept artifacts.
	JobID string
	// Paths are files, directories and globs; none for all artifacts.
	Paths []string
	// Force allows CopyArtifacts to replace existing files.
	Force bool
}

// An ArtifactList lists files that a job kept.
type ArtifactList struct {
	// Commit is the commit that the job tested.
	Commit string
	// JobID is the id of the job.
	JobID string `json:"job_id"`
	// Place is where the files are: "build", "archive", or "gone" if the build was removed.
	Place string
	// Files is the number of all files that the job kept, Bytes their size.
	Files, Bytes int64
	// Artifacts are the selected files.
	Artifacts []Artifact
	// JSON is the complete list, as `tinyci artifacts --json` prints it.
	JSON json.RawMessage `json:"-"`
}

// An Artifact is a file that a job kept.
type Artifact struct {
	// Path is the path relative to the export directory.
	Path string
	// Bytes is the size.
	Bytes int64
	// Blob is the id of the content as a git blob.
	Blob string
	// Executable is true if the file is executable.
	Executable bool
}

// Artifacts lists the files that a job kept. If the build was removed, its files are gone, but its record
// still lists them.
func (e *Engine) Artifacts(revision string, query ArtifactQuery) (*ArtifactList, error) {
	var t texts
	rev, job := t.of("revision", revision), t.optional("job id", query.JobID)
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

// CopyArtifacts copies files that a job kept to a directory, also from a packed build. It checks each file
// against the record and writes it completely or not at all.
func (e *Engine) CopyArtifacts(ctx context.Context, revision, dir string, query ArtifactQuery) (*ArtifactList, error) {
	list := new(ArtifactList)
	err := stoppable(ctx, func(cancel *C.tinyci_cancel) (err error) {
		var t texts
		rev, job := t.of("revision", revision), t.optional("job id", query.JobID)
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

// RunStep runs steps of one commit in a separate export directory, until one fails. Each command comes as
// Output before it runs. Nothing is recorded; the run's only record has the outcomes of the steps.
func (e *Engine) RunStep(ctx context.Context, revision string, steps ...string) *Run {
	return e.runStep(ctx, revision, 0, steps)
}

// RunStepKeeping is like RunStep, but keeps the export directory for a day.
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
