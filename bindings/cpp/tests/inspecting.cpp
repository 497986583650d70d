// What a program asks of a repository beside its runs.

#include "check.hpp"

#include <string>
#include <vector>

#include <tinyci.hpp>

using check::repository;
using tinyci::engine;
using tinyci::format;
using tinyci::options;
using tinyci::selection;
using tinyci::code;

namespace {

const char *const script = "fn build(ctx) { sh([\"echo\", capture(\"uname -s\")]); }\n"
                           "fn deploy(ctx) { sh([\"echo\", \"on\", capture(\"date\")]); }\n";

bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

void run_all(tinyci::run run) {
    for (const tinyci::event &event : run) (void)event;
}

std::vector<std::string> lines_of(tinyci::run log) {
    std::vector<std::string> lines;
    for (const tinyci::event &event : log) lines.emplace_back(event.data());
    return lines;
}

}  // namespace

TEST(a_repository_is_discovered_and_tells_of_itself) {
    const repository repo("build: make\n");
    repo.git("config tinyci.jobz 2");
    repo.git("remote add origin /srv/git/app.git");
    const auto below = repo.path() / "below";
    std::filesystem::create_directory(below);
    EQUAL(THROWN(tinyci::error, engine(below)).code(), code::not_a_repo);
    const engine found = engine::discover(below, options().jobs(2));
    EQUAL(found.path(), repo.path());
    CHECK(!found.is_bare());
    CHECK(has(found.warnings(), "tinyci.jobz"));
    EQUAL(found.remote_url(), "/srv/git/app.git");
    EQUAL(THROWN(tinyci::error, found.remote_url("upstream")).code(), code::not_found);
}

TEST(commits_are_found_by_revisions) {
    const repository repo("build: make\n");
    const std::string first = repo.git("rev-parse HEAD");
    const std::string second = repo.commit("second");
    const engine opened(repo.path());
    EQUAL(opened.resolve("HEAD~1"), first);
    const auto commits = opened.commits({"HEAD", "HEAD~1"});
    EQUAL(commits.size(), 2u);
    EQUAL(commits[0].id, second);
    CHECK(commits[1].parents.empty());
    const tinyci::commit commit = opened.commit("HEAD");
    EQUAL(commit.parents.at(0), first);
    CHECK(has(commit.author, "@") && commit.author == commit.author_bytes);
    EQUAL(commit.message, "second\n");
    EQUAL(commit.message_bytes, commit.message);
    EQUAL(tinyci::value::parse(commit.json).at("id").as<std::string>(), second);
    EQUAL(THROWN(tinyci::error, opened.resolve("nowhere")).code(), code::not_found);
}

TEST(logs_are_read) {
    const repository repo("build: echo built\n");
    const engine opened(repo.path());
    EQUAL(THROWN(tinyci::error, run_all(opened.log("HEAD"))).code(), code::not_found);
    tinyci::run run = opened.run();
    EQUAL(THROWN(tinyci::error, run.summary()).code(), code::invalid_arg);
    for (const tinyci::event &event : run) (void)event;
    EQUAL(run.summary().at("records").at(0).at("outcome").as<std::string>(), "success");
    const auto whole = lines_of(opened.log("HEAD"));
    CHECK(whole.size() > 2);
    CHECK(lines_of(opened.log("HEAD", 1)) == std::vector{whole.back()});
    CHECK(lines_of(opened.log("HEAD", 0)).empty());
    CHECK(lines_of(opened.log("HEAD", {}, tinyci::log_follow)) == whole);
    tinyci::run following = opened.log("", 1, tinyci::log_follow);
    EQUAL(following.next(), code::ok);
    following.cancel();
    EQUAL(following.next(), code::done);
}

TEST(scripts_are_converted_checked_and_tested) {
    if (!tinyci::has_feature("rhai")) return;
    const repository repo("build: make\n");
    options set;
    set.function("today", 0, tinyci::effect::pure, nullptr, "The date.");
    const engine opened(repo.path(), set);
    CHECK(has(opened.pipeline("HEAD").to_rhai(), "make"));
    CHECK(has(opened.definitions(), "today(") && !has(tinyci::definitions(), "today("));
    CHECK(has(opened.definitions(tinyci::definitions_format::json), "today"));
    CHECK(!tinyci::definitions(tinyci::definitions_format::rhai).empty());
    repo.git("rm -q .tinyci.yml");
    repo.write("lib.rhai", "fn make() { }\n");
    repo.write(".tinyci.rhai", script);
    repo.write(".tinyci.test.rhai",
               "fn test_right(t) { t.fake(\"uname*\", \"v1\"); t.expect(t.run().ok); }\n"
               "fn test_wrong(t) { throw \"wrong\"; }\n");
    repo.commit("a script");
    const tinyci::value all =
        opened.test_pipeline({"HEAD", {}}, {}, tinyci::test_coverage);
    CHECK(!all.at("passed").as<bool>() && all.find("coverage") != nullptr);
    for (const auto &source : {tinyci::test_source{}, tinyci::test_source{"", repo.path()}}) {
        const tinyci::value right = opened.test_pipeline(source, {"right"});
        CHECK(right.at("passed").as<bool>());
        EQUAL(right.at("filtered_out").as<std::int64_t>(), 1);
    }
    const std::string text = "import \"lib\" as lib;\nfn build(ctx) { lib::make(); }\n";
    CHECK(opened.check(text, format::rhai, "a.rhai", "HEAD").at("valid").as<bool>());
    CHECK(!opened.check(text, format::rhai, "a.rhai", "HEAD~1").at("valid").as<bool>());
}

TEST(plans_assume_output_and_it_is_known_what_is_deployed) {
    if (!tinyci::has_feature("rhai")) return;
    const repository repo(script, ".tinyci.rhai");
    repo.git("notes --ref runs/tinyci add -m damaged HEAD");
    const engine opened(repo.path());
    EQUAL(opened.unrecognized_lines("HEAD"), "damaged\n");
    selection which;
    which.revision("HEAD").assume("uname*", "v7").assume("*", "v8");
    CHECK(has(opened.plan(which).to_json(), "echo v7"));
    run_all(opened.run());
    tinyci::deploy_request what;
    what.assume("date", "Monday");
    CHECK(has(opened.deploy_plan("", what).to_json(), "on Monday"));
    CHECK(opened.deployed().is_null());
    run_all(opened.deploy());
    EQUAL(opened.deployed("production").at("outcome").as<std::string>(), "success");
}
