import { made } from "./made.js";
import { now } from "./native.js";
import { assumed } from "./values.js";

/** What each word of a deployment sets. */
const WORDS = {
  revision: now.deploy_request_set_revision,
  force: now.deploy_request_set_force,
  bare: now.deploy_request_set_bare,
  rollback: now.deploy_request_set_rollback,
  plan: (to, plan) => now.deploy_request_set_plan(to, typeof plan === "string" ? plan : JSON.stringify(plan)),
  assume: (to, assume) => assumed(assume).forEach((words) => now.deploy_request_add_assumption(to, ...words)),
  by: (to, { name, address }) => now.deploy_request_set_by(to, name, address),
};

const REQUEST = { create: now.deploy_request_new, free: now.deploy_request_free };

/** Makes a tinyci_deploy_request, to be freed by the caller, who knows what the `others` say. */
export function deployRequest(words, others) {
  return made("word of a deployment", words, WORDS, others, REQUEST);
}
