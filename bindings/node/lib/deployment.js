import { made } from "./made.js";
import { now } from "./native.js";
import { assumed } from "./values.js";

/** The setter of each option of a deployment. */
const SETTERS = {
  revision: now.deploy_request_set_revision,
  force: now.deploy_request_set_force,
  bare: now.deploy_request_set_bare,
  rollback: now.deploy_request_set_rollback,
  plan: (to, plan) => now.deploy_request_set_plan(to, typeof plan === "string" ? plan : JSON.stringify(plan)),
  assume: (to, assume) => assumed(assume).forEach((pair) => now.deploy_request_add_assumption(to, ...pair)),
  by: (to, { name, address }) => now.deploy_request_set_by(to, name, address),
};

const REQUEST = { create: now.deploy_request_new, free: now.deploy_request_free };

/** Makes a tinyci_deploy_request, which the caller frees. The caller also handles the `others`. */
export function deployRequest(options, others) {
  return made("option of a deployment", options, SETTERS, others, REQUEST);
}
