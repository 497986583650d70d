package tinyci

// #include <tinyci.h>
import "C"

import (
	"encoding/hex"
	"encoding/json"
	"time"
)

// A Commit has git's data about a commit.
type Commit struct {
	// ID is the full id.
	ID string
	// Tree is the full id of the commit's tree. Two commits with the same tree have the same files.
	Tree string
	// Branch is the branch that the commit is tested for, without refs/heads/, in git's own bytes; "" if it
	// is on no branch.
	Branch string
	// Subject is the first paragraph of the message, on one line.
	Subject string
	// Time is the committer's time.
	Time time.Time
	// Author is "Name <address>", in git's own bytes.
	Author string
	// Message is the complete message, in git's own bytes.
	Message string
	// Parents are the full ids of the parents, in git's order.
	Parents []string
}

// UnmarshalJSON reads a commit of a report or an event.
func (c *Commit) UnmarshalJSON(text []byte) error {
	var mirror struct {
		ID, Tree, Branch, Subject, Author, Message string
		Parents                                    []string
		BranchHex                                  string `json:"branch_hex"`
		Time                                       int64
	}
	if err := json.Unmarshal(text, &mirror); err != nil {
		return err
	}
	*c = Commit{
		ID: mirror.ID, Tree: mirror.Tree, Branch: mirror.Branch, Subject: mirror.Subject,
		Author: mirror.Author, Message: mirror.Message, Parents: mirror.Parents,
		Time: time.Unix(mirror.Time, 0),
	}
	return exact(&c.Branch, mirror.BranchHex)
}

// exact replaces text by the original bytes, if JSON cannot represent them.
func exact(text *string, digits string) error {
	if digits == "" {
		return nil
	}
	bytes, err := hex.DecodeString(digits)
	*text = string(bytes)
	return err
}

// PendingCommits returns the pending commits, oldest first. It runs nothing.
func (e *Engine) PendingCommits(selection Selection) (commits []Commit, err error) {
	err = e.with(func(c *C.tinyci_engine) error {
		return selection.with(func(s *C.tinyci_selection) error {
			var found *C.tinyci_commits
			if _, err := call(func(err **C.tinyci_error) C.tinyci_code {
				return C.tinyci_pending_commits(c, s, &found, err)
			}); err != nil {
				return err
			}
			defer C.tinyci_commits_free(found)
			commits, err = commitsOf(found)
			return err
		})
	})
	return commits, err
}

func commitsOf(found *C.tinyci_commits) (commits []Commit, err error) {
	for {
		var commit *C.tinyci_commit
		code, err := call(func(err **C.tinyci_error) C.tinyci_code {
			return C.tinyci_commits_next(found, &commit, err)
		})
		if err != nil || code == C.TINYCI_DONE {
			return commits, err
		}
		var length C.size_t
		branch := bytesOf(C.tinyci_commit_branch_bytes(commit, &length), length)
		subject := bytesOf(C.tinyci_commit_subject_bytes(commit, &length), length)
		author := bytesOf(C.tinyci_commit_author_bytes(commit, &length), length)
		message := bytesOf(C.tinyci_commit_message_bytes(commit, &length), length)
		var parents []string
		for index := C.size_t(0); index < C.tinyci_commit_parent_count(commit); index++ {
			parents = append(parents, C.GoString(C.tinyci_commit_parent(commit, index)))
		}
		commits = append(commits, Commit{
			ID:      C.GoString(C.tinyci_commit_id(commit)),
			Tree:    C.GoString(C.tinyci_commit_tree(commit)),
			Branch:  string(branch),
			Subject: string(subject),
			Author:  string(author),
			Message: string(message),
			Parents: parents,
			Time:    time.Unix(int64(C.tinyci_commit_time(commit)), 0),
		})
	}
}
