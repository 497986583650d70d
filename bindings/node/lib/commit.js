import { constants } from "./abi.js";
import { now } from "./native.js";

function readCommit(pointer) {
  const json = now.commit_json(pointer);
  return {
    id: now.commit_id(pointer),
    tree: now.commit_tree(pointer),
    branch: now.commit_branch(pointer),
    branchBytes: now.commit_branch_bytes(pointer),
    subject: now.commit_subject(pointer),
    subjectBytes: now.commit_subject_bytes(pointer),
    author: now.commit_author(pointer),
    authorBytes: now.commit_author_bytes(pointer),
    message: now.commit_message(pointer),
    messageBytes: now.commit_message_bytes(pointer),
    parents: Array.from({ length: Number(now.commit_parent_count(pointer)) }, (_, index) =>
      now.commit_parent(pointer, index),
    ),
    time: new Date(Number(now.commit_time(pointer)) * 1000),
    toJSON: () => JSON.parse(json),
  };
}

/** Reads and frees a list of commits. */
export function readCommits(list) {
  try {
    const commits = [];
    for (let one; (one = now.commits_next(list)) !== constants.DONE;) commits.push(readCommit(one));
    return commits;
  } finally {
    now.commits_free(list);
  }
}
