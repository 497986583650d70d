// What can be asked and done without a run: settings, commits, pipelines, reports, acts, errors.

#include "check.hpp"

#include <algorithm>
#include <fstream>
#include <string>
#include <type_traits>
#include <vector>

#include <tinyci.hpp>

using check::repository;
using tinyci::engine;
using tinyci::format;
using tinyci::options;
using tinyci::outcome;
using tinyci::selection;
using tinyci::code;

namespace {

void run_all(const engine &opened, const selection &which = {}) {
    for (const tinyci::event &event : opened.run(which)) (void)event;
}

}  // namespace

static_assert(!std::is_copy_constructible_v<engine>);
static_assert(std::is_nothrow_move_constructible_v<engine>);
static_assert(!std::is_copy_constructible_v<tinyci::run>);
static_assert(!std::is_copy_constructible_v<tinyci::request>);
static_assert(!std::is_copy_constructible_v<tinyci::event>);
static_assert(!std::is_copy_constructible_v<selection>);
static_assert(std::is_nothrow_copy_constructible_v<tinyci::error>);

TEST(the_library_is_the_headers) {
    EQUAL(tinyci::version(), TINYCI_VERSION);
    EQUAL(tinyci::version_number(), static_cast<std::uint32_t>(TINYCI_VERSION_NUMBER));
    EQUAL(tinyci::abi(), static_cast<std::uint32_t>(TINYCI_ABI));
    CHECK(!tinyci::has_feature("no such thing"));
    EQUAL(to_string(code::not_a_repo), "not_a_repo");
    EQUAL(to_string(outcome::timed_out), "timed_out");
    EQUAL(to_string(static_cast<outcome>(4711)), "unknown");
    EQUAL(to_string(static_cast<code>(-4711)), "unknown");
}

TEST(errors_say_what_and_where) {
    const auto none = THROWN(tinyci::error, engine("/nonexistent/repository"));
    EQUAL(none.code(), code::not_a_repo);
    CHECK(std::string(none.what()).find("/nonexistent/repository") != std::string::npos);
    EQUAL(none.file(), "/nonexistent/repository");
    EQUAL(none.line(), 0u);

    const auto bad = THROWN(
        tinyci::error, tinyci::pipeline::parse("build: [", format::yaml, "nightly.yml"));
    EQUAL(bad.code(), code::config);
    EQUAL(bad.file(), "nightly.yml");
    CHECK(bad.line() > 0 && bad.column() > 0);
    const tinyci::error copy = bad;
    EQUAL(std::string(copy.what()), bad.what());

    EQUAL(THROWN(tinyci::error, options().hook("no_such_point")).code(), code::invalid_arg);
    EQUAL(THROWN(tinyci::error, options().jobs(0)).code(), code::invalid_arg);
    EQUAL(THROWN(tinyci::error, options().var("name", std::string("a\0b", 3))).code(),
          code::invalid_arg);
    EQUAL(THROWN(tinyci::error, options().var("name", "\xff")).code(), code::invalid_arg);
}

TEST(options_reach_the_run) {
    const repository repo("build: 'echo $COLOUR $HOME <%= release %> >seen'\n");
    repo.git("branch other");
    options set;
    set.ref("refs/heads/main").jobs(2).job_timeout(std::chrono::minutes(5)).builds_dir("ci-builds");
    set.log_limit(1 << 20).setting("gracePeriod", "1s").env("COLOUR", "green");
    set.env("HOME", std::nullopt).var("release", "42");
    set.function("host::now", 0, tinyci::effect::pure, nullptr, "The time.");
    const engine opened(repo.path(), set);
    EQUAL(opened.path(), repo.path());
    run_all(opened);
    const std::string id = repo.git("rev-parse HEAD");
    std::string seen;
    for (const auto &entry : std::filesystem::directory_iterator(repo.path() / "ci-builds")) {
        if (entry.is_directory()) {
            for (const auto &file : std::filesystem::recursive_directory_iterator(entry)) {
                if (file.path().filename() == "seen") seen = check::read_file(file.path());
            }
        }
    }
    EQUAL(seen, "green 42\n");
    // Each may be moved, and destroyed in any order.
    engine one(repo.path());
    engine two = std::move(one);
    EQUAL(two.path(), repo.path());
}

TEST(commits_are_found_and_exported) {
    const repository repo("build: 'true'\n");
    const std::string first = repo.git("rev-parse HEAD");
    const std::string second = repo.commit("second");
    const engine opened(repo.path());
    const std::vector<tinyci::commit> pending = opened.pending_commits();
    EQUAL(pending.size(), 2u);
    EQUAL(pending[0].id, first);
    EQUAL(pending[0].tree, repo.git("rev-parse HEAD~1^{tree}"));
    EQUAL(pending[1].subject, "second");
    EQUAL(pending[1].subject_bytes, "second");
    EQUAL(pending[1].branch, "main");
    EQUAL(pending[1].branch_bytes, "main");
    EQUAL(std::to_string(std::chrono::system_clock::to_time_t(pending[1].time)),
          repo.git("log -1 --format=%ct"));
    EQUAL(opened.pending_commits(selection().revision("HEAD~1")).size(), 1u);
    EQUAL(opened.pending_commits(selection().range("HEAD~1..HEAD")).at(0).id, second);
    const std::string lines = first + " " + second + " refs/heads/main\n";
    EQUAL(opened.pending_commits(selection().hook_lines(lines)).size(), 2u);
    EQUAL(opened.pending_commits(selection().update(first, second, "refs/heads/main")).size(), 2u);
    EQUAL(THROWN(tinyci::error, opened.pending_commits(selection().revision("none"))).code(),
          code::not_found);
    EQUAL(THROWN(tinyci::error, selection().hook_lines("not such lines")).code(),
          code::invalid_arg);

    opened.export_commit("HEAD", repo.outside("tree"));
    EQUAL(check::read_file(repo.outside("tree") / ".tinyci.yml"), "build: 'true'\n");
    const tinyci::cancel_token canceled;
    const tinyci::cancel_token child = canceled.child();
    child.cancel();
    EQUAL(canceled.level(), 0);
    EQUAL(child.level(), 1);
    canceled.cancel();
    EQUAL(canceled.child().level(), 1);
    EQUAL(canceled.level(), 1);
    const auto stopped = THROWN(
        tinyci::error, opened.export_commit("HEAD", repo.outside("other"), canceled));
    EQUAL(stopped.code(), code::canceled);
}

TEST(pipelines_are_read_and_tags_filled_in) {
    const repository repo("build: make\ntest: make test\nhooks: {before_build: './configure'}\n");
    const engine opened(repo.path());
    const std::vector<std::string> steps = opened.pipeline("HEAD").steps();
    CHECK(steps == std::vector<std::string>({"before_build", "build", "test"}));
    EQUAL(tinyci::pipeline::parse("build: x", format::yaml, "x.yml").steps().size(), 1u);
    EQUAL(opened.parse("build: x", format::yaml, "x.yml").steps().at(0), "build");
    EQUAL(THROWN(tinyci::error, opened.pipeline("none")).code(), code::not_found);

    EQUAL(tinyci::interpolate("make -j<%= jobs %>", {{"jobs", "4"}}), "make -j4");
    EQUAL(tinyci::interpolate("<%%"), "<%");
    const auto bad = THROWN(tinyci::error, tinyci::interpolate("a <%= b %>", {{"b", "; rm"}}));
    EQUAL(bad.code(), code::interpolate);
    EQUAL(bad.line(), 1u);
}

TEST(records_and_reports_tell_what_became_of_commits) {
    const repository repo("build: echo out; exit 3\n");
    const std::string red = repo.git("rev-parse HEAD");
    repo.write(".tinyci.yml", "build: 'true'\ntest: 'true'\n");
    const std::string green = repo.commit("green");
    const engine opened(repo.path());
    EQUAL(opened.plan().at("jobs").as<tinyci::value::array>().size(), 2u);
    run_all(opened);

    const std::vector<tinyci::record> all = opened.records();
    EQUAL(all.size(), 2u);
    EQUAL(all[0].commit, green);
    CHECK(all[0].passed && all[0].outcome == outcome::success);
    CHECK(!all[1].passed && all[1].outcome == outcome::failure);
    EQUAL(all[1].branch, "main");
    EQUAL(all[1].steps.size(), 1u);
    EQUAL(all[1].steps[0].name, "build");
    EQUAL(all[1].steps[0].outcome, outcome::failure);
    EQUAL(all[1].steps[0].exit_code, 3);
    CHECK(all[1].started.time_since_epoch().count() > 0 && all[1].duration.count() >= 0);
    EQUAL(tinyci::value::parse(all[0].json).at("commit").as<std::string>(), green);
    EQUAL(opened.records({}, outcome::failure).at(0).commit, red);
    EQUAL(opened.records({}, outcome::none, 1).size(), 1u);
    EQUAL(opened.records(selection().revision("HEAD~1")).at(0).commit, red);

    const std::vector<tinyci::value> results = opened.results();
    EQUAL(results.size(), 2u);
    EQUAL(results[0].at("commit").as<std::string>(), green);
    EQUAL(opened.results({}, outcome::none, 0, tinyci::results_all_attempts).size(), 2u);
    CHECK(opened.check("HEAD").at("valid").as<bool>());
    CHECK(!opened.check("build: [", format::yaml, "x.yml").at("valid").as<bool>());

    CHECK(opened.forget("HEAD"));
    CHECK(!opened.forget("HEAD"));
    EQUAL(opened.pending_commits().size(), 1u);
}

TEST(commits_are_canceled_and_skipped_by_name) {
    const repository repo("build: echo going; exec sleep 600\n");
    const engine opened(repo.path());
    const tinyci::intervention ada{"it hangs", "Ada", "ada@example.org"};
    tinyci::run run = opened.run();
    for (const tinyci::event &event : run) {
        if (event.kind() != tinyci::event_kind::output) continue;
        const tinyci::value done = opened.cancel("HEAD", ada, 0, std::chrono::milliseconds(0));
        CHECK(!done.at("whole_run").as<bool>());
    }
    EQUAL(run.records().at(0).outcome, outcome::canceled);
    EQUAL(THROWN(tinyci::error, opened.cancel()).code(), code::not_found);
    EQUAL(THROWN(tinyci::error, opened.cancel("HEAD", {}, tinyci::job_cancel_kill)).code(),
          code::not_found);
    const tinyci::value record = opened.skip("HEAD", ada);
    EQUAL(record.at("intervention").at("kind").as<std::string>(), "skip");
    EQUAL(THROWN(tinyci::error, opened.skip("HEAD")).code(), code::invalid_arg);

    const std::string before = repo.git("rev-parse HEAD");
    repo.commit("second");
    const std::string lines = before + " " + repo.git("rev-parse HEAD") + " refs/heads/main\n";
    tinyci::run pushed = opened.run(selection().hook_lines(lines).push_option("ci.skip"));
    for (const tinyci::event &event : pushed) (void)event;
    EQUAL(pushed.records().at(0).outcome, outcome::skipped);
}

TEST(artifacts_are_listed_and_copied) {
    const repository repo("build: 'true'\n");
    repo.git("rm -q .tinyci.yml");
    std::ofstream(repo.path() / ".tinyci.rhai") << (
                      "fn build() { sh(\"mkdir d; echo a > d/a; echo b > d/b\"); artifact(\"d\"); }");
    repo.git("add .");
    repo.git("commit -q -m script");
    const engine opened(repo.path());
    THROWN(tinyci::error, opened.artifacts("HEAD"));
    run_all(opened);
    using array = tinyci::value::array;
    const tinyci::value kept = opened.artifacts("HEAD");
    EQUAL(kept.at("artifacts").as<array>().size(), 2u);
    const std::string job = kept.at("job_id").as<std::string>();
    const std::filesystem::path out = repo.outside("out");
    opened.copy_artifacts("HEAD", out, {"d/b"}, job);
    EQUAL(check::read_file(out / "d/b"), "b\n");
    THROWN(tinyci::error, opened.copy_artifacts("HEAD", out));
    opened.copy_artifacts("HEAD", out, {}, "", tinyci::artifacts_force);
    CHECK(std::filesystem::exists(out / "d/a"));
}

TEST(steps_run_by_hand) {
    const repository repo("build: echo built\ntest: 'false'\n");
    const engine opened(repo.path());
    tinyci::run run = opened.run_step("HEAD", {"build", "test"});
    for (const tinyci::event &event : run) (void)event;
    CHECK(!run.records().at(0).passed);
    EQUAL(opened.pending_commits().size(), 1u);
    tinyci::run refused = opened.run_step("HEAD", {"deploy"}, tinyci::steps_keep);
    THROWN(tinyci::error, refused.next());
}

TEST(hooks_are_installed_and_builds_packed) {
    const repository repo("build: 'true'\n");
    const engine opened(repo.path());
    const std::filesystem::path hook = repo.path() / ".git/hooks/post-receive";
    opened.install("/opt/ci/tinyci", tinyci::install_hide_refs);
    CHECK(check::read_file(hook).find("/opt/ci/tinyci") != std::string::npos);
    opened.uninstall();
    CHECK(check::read_file(hook).find("/opt/ci/tinyci") == std::string::npos);

    run_all(opened);
    const std::string id = repo.git("rev-parse HEAD");
    using array = tinyci::value::array;
    CHECK(opened.compact(0, {id}).at("compacted").as<array>().empty());
    const tinyci::value packed = opened.compact(0);
    EQUAL(packed.at("compacted").as<array>().size(), 1u);
    CHECK(packed.at("not_removed").as<array>().empty());
    const tinyci::value &build = packed.at("compacted").at(0);
    CHECK(std::filesystem::exists(build.at("archive").as<std::string>()));
}
