// Deployments: planned, done, approved, taken back; and what else looks after a repository.

#include "check.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <tinyci.hpp>

using check::repository;
using tinyci::deploy_request;
using tinyci::engine;
using tinyci::event;
using tinyci::event_kind;
using tinyci::options;
using tinyci::outcome;
using tinyci::request;
using tinyci::code;
using tinyci::value;

namespace {

std::string pull(tinyci::run &run) {
    std::string output;
    for (const event &event : run) {
        if (event.kind() == event_kind::output) output += event.data();
    }
    return output;
}

void judge(const engine &opened) {
    tinyci::run run = opened.run();
    pull(run);
    for (const tinyci::record &record : run.records()) CHECK(record.passed);
}

}  // namespace

TEST(an_engine_stays_that_of_its_repository_wherever_the_program_goes) {
    const std::filesystem::path before = std::filesystem::current_path();
    const repository here("build: echo built here\ndeploy: echo deployed here\n");
    const repository there("build: echo built there\ndeploy: echo deployed there\n");
    here.write("mark", "here");
    const std::string head = here.commit("marked");
    std::filesystem::current_path(here.outside(""));
    const engine opened("repo");
    std::filesystem::current_path(there.outside(""));
    EQUAL(opened.path(), here.path());
    tinyci::selection which;
    which.revision("HEAD");
    EQUAL(opened.plan(which).at("jobs").at(0).at("commit").at("id").as<std::string>(), head);
    tinyci::run run = opened.run(which);
    EQUAL(pull(run), "built here\n");
    tinyci::run deployment = opened.deploy();
    EQUAL(pull(deployment), "deployed here\n");
    opened.export_commit("HEAD", "out");
    EQUAL(check::read_file(there.outside("out") / "mark"), "here");
    EQUAL(there.verdicts(), 0U);
    std::filesystem::current_path(before);
}

TEST(a_deployment_is_planned_done_and_taken_back) {
    const repository repo("build: 'true'\ndeploy: echo deployed <%= commit %>\n");
    const std::string first = repo.git("rev-parse HEAD");
    const std::string second = repo.commit("second");
    const engine opened(repo.path());
    deploy_request what;
    what.revision("HEAD~1").by("Ada", "ada@example.org");
    tinyci::run early = opened.deploy("", what);
    EQUAL(THROWN(tinyci::error, pull(early)).code(), code::invalid_arg);
    EQUAL(early.deploy_outcome(), outcome::none);
    judge(opened);

    tinyci::run named = opened.deploy("production", what);
    EQUAL(pull(named), "deployed " + first + "\n");
    EQUAL(named.deploy_outcome(), outcome::success);
    EQUAL(named.deployment().at("outcome").as<std::string>(), "success");
    CHECK(named.records().empty());

    const value plan = opened.deploy_plan();
    EQUAL(plan.at("commit").at("id").as<std::string>(), second);
    deploy_request exactly;
    exactly.by("Ada", "ada@example.org").plan(plan);
    tinyci::run planned = opened.deploy("", exactly);
    EQUAL(pull(planned), "deployed " + second + "\n");
    tinyci::run again = opened.deploy("", exactly);
    EQUAL(THROWN(tinyci::error, pull(again)).code(), code::busy);

    tinyci::run back = opened.deploy("", deploy_request().by("Ada", "ada@example.org").rollback());
    EQUAL(pull(back), "deployed " + first + "\n");
    std::string warnings;
    const std::vector<value> deploys = opened.deployments("production", 2, &warnings);
    EQUAL(deploys.size(), 2u);
    EQUAL(deploys[0].at("commit").as<std::string>(), first);
    EQUAL(warnings, "");
    CHECK(opened.deployments().size() == 3);
    CHECK(!opened.unlock_deployments("", "looked at it"));
    CHECK(opened.retire("production"));
    CHECK(!opened.retire(""));
    EQUAL(opened.deployments("", 1)[0].at("outcome").as<std::string>(), "retired");
    CHECK(opened.status().is<value::map>());
    CHECK(opened.settings().size() > 10);
    THROWN(tinyci::error, deploy_request().plan("no plan"));
    deploy_request forced;
    forced.force().force(false);
}

TEST(a_deployment_waits_for_an_approval_of_the_repositorys_or_the_hosts) {
    const repository repo("build: 'true'\ndeploy: {run: echo live, approve: true}\n");
    repo.git("config user.name Ada");
    repo.git("config user.email ada@example.org");
    std::optional<std::string> person;
    options set;
    set.approvals([&](request &asked) {
        EQUAL(asked.name(), "production");
        EQUAL(asked.question(), "");
        return person;
    });
    const engine asking(repo.path(), set);
    judge(asking);
    tinyci::run waiting = asking.deploy();
    EQUAL(pull(waiting), "");
    EQUAL(waiting.deploy_outcome(), outcome::awaiting_approval);
    person = "Grace <grace@example.org>";
    tinyci::run approved = asking.deploy();
    EQUAL(pull(approved), "live\n");
    EQUAL(approved.deploy_outcome(), outcome::success);
    CHECK(approved.deployment().to_json().find("grace@example.org") != std::string::npos);

    repo.commit("second");
    const engine opened(repo.path());
    judge(opened);
    tinyci::run alone = opened.deploy();
    pull(alone);
    EQUAL(alone.deploy_outcome(), outcome::awaiting_approval);
    options joan;
    joan.by("Joan", "joan@example.org").setting("approvers", "grace@example.org");
    const std::string joans = engine(repo.path(), joan).approve("", "HEAD").to_json();
    CHECK(joans.find("Joan <joan@example.org>") != std::string::npos);
    CHECK(joans.find("does not list") != std::string::npos);
    repo.git("for-each-ref --format='delete %(refname)' refs/tinyci/approvals | git update-ref --stdin");
    CHECK(opened.approve("", "HEAD").find("reference") != nullptr);
    tinyci::run allowed = opened.deploy();
    EQUAL(pull(allowed), "live\n");

    tinyci::run back = opened.rollback();
    pull(back);
    EQUAL(back.deploy_outcome(), outcome::awaiting_approval);
}

TEST(a_hosts_refusal_of_an_approval_keeps_the_deployment_from_beginning) {
    const repository repo("build: 'true'\ndeploy: {run: echo live, approve: true}\n");
    options set;
    set.approvals([](request &) -> std::optional<std::string> {
        throw tinyci::refusal("not on a Friday", 5);
    });
    const engine opened(repo.path(), set);
    judge(opened);
    tinyci::run run = opened.deploy();
    const auto refused = THROWN(tinyci::error, pull(run));
    EQUAL(refused.code(), code::host_abort);
    CHECK(std::string(refused.what()).find("not on a Friday (code 5)") != std::string::npos);
}

TEST(what_is_thrown_in_place_of_an_approval_comes_out_of_the_loop) {
    const repository repo("build: 'true'\ndeploy: {run: echo live, approve: true}\n");
    options set;
    set.approvals([](request &) -> std::optional<std::string> {
        throw std::domain_error("the desk has no line");
    });
    const engine opened(repo.path(), set);
    judge(opened);
    tinyci::run run = opened.deploy();
    THROWN(std::domain_error, pull(run));
    EQUAL(THROWN(tinyci::error, run.next()).code(), code::host_fault);
    EQUAL(run.deploy_outcome(), outcome::none);
}

TEST(builds_are_pruned_and_results_shared) {
    const repository repo("build: 'true'\n");
    repo.git("remote add origin .");
    const engine opened(repo.path());
    judge(opened);
    EQUAL(THROWN(tinyci::error, opened.prune()).code(), code::invalid_arg);
    tinyci::prune_rules rules;
    rules.keep = 0;
    rules.max_age = std::chrono::hours(0);
    const value would = opened.prune(rules, tinyci::prune_dry_run);
    CHECK(would.at("dry_run").as<bool>());
    CHECK(!opened.prune(rules).at("dry_run").as<bool>());

    CHECK(!opened.setup_remote().empty());
    repo.git("fetch -q");
    CHECK(!opened.merge_results());
    CHECK(!opened.undo_setup_remote().empty());
    EQUAL(THROWN(tinyci::error, opened.setup_remote("none")).code(), code::not_found);
    EQUAL(opened.forget_all().at("removed").at(0).as<std::string>(), "refs/notes/tinyci-result");
}
