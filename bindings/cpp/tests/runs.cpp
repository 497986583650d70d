// Runs: events, what they ask for, and how they end.

#include "check.hpp"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <tinyci.hpp>

using check::repository;
using tinyci::engine;
using tinyci::event;
using tinyci::event_kind;
using tinyci::options;
using tinyci::outcome;
using tinyci::record;
using tinyci::request;
using tinyci::selection;
using tinyci::code;
using tinyci::value;

namespace {

/// All that the commands of a run wrote.
std::string output_of(tinyci::run &run) {
    std::string all;
    for (const event &event : run) {
        if (event.kind() == event_kind::output) all += event.data();
    }
    return all;
}

/// The commit that was tested already.
selection head_again() {
    selection which;
    which.revision("HEAD").retry();
    return which;
}

const char endless[] = "build: echo going; exec sleep 600\nhooks: {after_all: echo cleaned up}\n";

}  // namespace

TEST(events_tell_a_run) {
    const repository repo("build: echo built <%= short %>\n");
    tinyci::run run = engine(repo.path()).run();
    std::vector<event_kind> kinds;
    std::string log;
    std::uint64_t sequence = 0;
    for (const event &event : run) {
        EQUAL(event.sequence(), ++sequence);
        kinds.push_back(event.kind());
        CHECK(event.time().time_since_epoch().count() > 0);
        CHECK(value::parse(event.json()).is<value::map>());
        log += event.log_lines();
        if (event.kind() == event_kind::output) {
            EQUAL(event.commit(), repo.git("rev-parse HEAD"));
            EQUAL(event.step(), "build");
            EQUAL(event.data(), "built " + repo.git("rev-parse --short HEAD") + "\n");
            CHECK(event.stream() == tinyci::stream::standard_output);
            CHECK(!event.job_id().empty() && event.label().empty());
        }
        CHECK(event.record().has_value() == (event.kind() == event_kind::job_finished));
        if (event.kind() == event_kind::step_finished) EQUAL(event.outcome(), outcome::success);
        CHECK(!event.take_request());
    }
    CHECK(kinds.front() == event_kind::planned && kinds.back() == event_kind::finished);
    CHECK(std::count(kinds.begin(), kinds.end(), event_kind::output) == 1);
    CHECK(!log.empty() && log.back() == '\n');
    EQUAL(run.records().at(0).outcome, outcome::success);
    EQUAL(run.next(), code::done);
}

TEST(a_hook_sets_variables_skips_refuses_or_throws) {
    const repository repo("build: echo \"build <%= release %>\"\n"
                          "hooks: {before_build: 'echo own <%= release %>'}\n");
    const selection again = head_again();
    const auto run_with = [&](tinyci::hook_function hook) {
        options set;
        set.hook("before_build", [](request &) {}).hook("before_build", std::move(hook));
        return engine(repo.path(), set).run(again);
    };
    {
        tinyci::run run = run_with([&](request &hook) {
            EQUAL(hook.name(), "before_build");
            EQUAL(hook.step(), "before_build");
            EQUAL(hook.commit(), repo.git("rev-parse HEAD"));
            CHECK(std::filesystem::exists(hook.export_dir() / ".tinyci.yml"));
            CHECK(!hook.canceled() && !hook.job_id().empty() && hook.label().empty());
            CHECK(hook.command().is_null() && hook.argument_count() == 0);
            hook.set_var("release", "42");
        });
        EQUAL(output_of(run), "own 42\nbuild 42\n");
        CHECK(run.records().at(0).passed);
    }
    {
        tinyci::run run = run_with([](request &hook) {
            hook.set_var("release", "7");
            hook.skip("not today");
        });
        output_of(run);
        EQUAL(run.records().at(0).steps.at(0).error, "skipped: not today");
    }
    {
        tinyci::run run = run_with([](request &) { throw tinyci::refusal("frozen", 9); });
        EQUAL(output_of(run), "");
        const record one = run.records().at(0);
        EQUAL(one.outcome, outcome::failure);
        CHECK(one.steps.at(0).error.find("frozen") != std::string::npos);
        CHECK(one.steps.at(0).error.find('9') != std::string::npos);
    }
    for (const bool known : {true, false}) {
        tinyci::run run = run_with([&](request &) {
            if (known) throw std::logic_error("a mistake of the host's");
            throw 17;
        });
        if (known) {
            const std::string what = THROWN(std::logic_error, output_of(run)).what();
            EQUAL(what, "a mistake of the host's");
        } else {
            EQUAL(THROWN(int, output_of(run)), 17);
        }
        // The run ended as it should before.
        const record one = run.records().at(0);
        EQUAL(one.outcome, outcome::error);
        CHECK(!known || one.steps.at(0).error.find("a mistake of the host's") != std::string::npos);
        EQUAL(run.next(), code::done);
    }
}

TEST(a_request_without_an_answer_fails_its_step) {
    const repository repo("build: 'true'\n");
    const selection again = head_again();
    options set;
    set.hook("before_build");
    const engine opened(repo.path(), set);
    for (const bool taken : {true, false}) {
        tinyci::run run = opened.run(again);
        int asked = 0;
        for (const event &event : run) {
            if (event.kind() != event_kind::hook) continue;
            asked++;
            if (taken) CHECK(event.take_request());
        }
        EQUAL(asked, 1);
        EQUAL(run.records().at(0).outcome, outcome::failure);
    }
    tinyci::run run = opened.run(again);
    std::thread later;
    for (const event &event : run) {
        if (event.kind() == event_kind::hook) {
            later = std::thread([asked = event.take_request()]() mutable { asked.ok(); });
        }
    }
    later.join();
    CHECK(run.records().at(0).passed);
}

TEST(functions_take_and_give_every_kind_of_value) {
    if (!tinyci::has_feature("rhai")) return;
    const repository repo(R"(fn build() {
        host::take((), true, -5, 1.5, "te\x00xt", [1, "a"], #{ k: () });
        for n in 0..9 { try { print(give(n)); } catch (e) { print(e); } }
        print(parallel(#{ left: || branch(), right: || branch() }));
    })", ".tinyci.rhai");
    const value::array expected{nullptr, true, -5, 1.5, std::string("te\0xt", 5),
                                value::array{1, "a"}, value::map{{"k", nullptr}}};
    value::array taken;
    options set;
    set.function("host::take", {1, 7}, tinyci::effect::external, [&](request &call) {
        taken = call.arguments();
        THROWN(std::out_of_range, call.argument(7));
        return value();
    });
    set.function("give", 1, tinyci::effect::external, [](request &call) -> value {
        EQUAL(call.name(), "give");
        switch (call.argument(0).as<std::int64_t>()) {
        case 0: return nullptr;
        case 1: return true;
        case 2: return std::numeric_limits<std::int64_t>::min();
        case 3: return 0.25;
        case 4: return "text";
        case 5: return value::map{{"a", value::array{1, 2.0}}};
        case 6: throw tinyci::refusal("not today");
        case 7: call.give("given early"); return nullptr;
        default: return std::string("n\0l", 3);
        }
    }, "Gives.");
    set.function("branch", 0, tinyci::effect::pure,
                 [](request &call) { return value(call.label()); });
    tinyci::run run = engine(repo.path(), set).run();
    const std::string output = output_of(run);
    CHECK(taken == expected);
    const std::string nul(1, '\0');
    EQUAL(output, "\ntrue\n-9223372036854775808\n0.25\ntext\n#{\"a\": [1, 2.0]}\n"
                  "`give` failed: not today\ngiven early\nn" + nul + "l\n"
                  "#{\"left\": \"left\", \"right\": \"right\"}\n");
    CHECK(run.records().at(0).passed);
}

TEST(no_script_catches_what_a_function_throws) {
    if (!tinyci::has_feature("rhai")) return;
    const repository repo("fn build() { try { bad(); } catch (e) { print(e); } }", ".tinyci.rhai");
    options set;
    // What cannot be given is a mistake as any other.
    set.function("bad", 0, tinyci::effect::external, [](request &) { return value("\xff"); });
    tinyci::run run = engine(repo.path(), set).run();
    EQUAL(THROWN(tinyci::error, output_of(run)).code(), code::invalid_arg);
    EQUAL(run.records().at(0).outcome, outcome::error);
}

TEST(secrets_come_from_the_host_or_the_folder) {
    const repository repo("build:\n  run: ['echo $TOKEN', 'echo $FILE']\n"
                          "  secrets: [TOKEN, FILE]\n");
    std::filesystem::create_directory(repo.outside("secrets"));
    std::filesystem::permissions(repo.outside("secrets"), std::filesystem::perms::owner_all);
    repo.write("../secrets/FILE", "from a file");
    std::filesystem::permissions(repo.outside("secrets") / "FILE",
                                 std::filesystem::perms::owner_read);
    std::vector<std::string> asked;
    options set;
    set.setting("secretRefs", "refs/heads/*").setting("secretsDir", repo.outside("secrets"));
    set.secrets([&](request &secret) -> std::optional<std::string> {
        asked.emplace_back(secret.name());
        if (secret.name() == "TOKEN") return "opensesame";
        return std::nullopt;
    });
    tinyci::run run = engine(repo.path(), set).run();
    const std::string output = output_of(run);
    CHECK(output.find("opensesame") == std::string::npos);
    CHECK(output.find("from a file") == std::string::npos);
    CHECK(std::count(asked.begin(), asked.end(), "TOKEN") == 1);
    CHECK(run.records().at(0).passed);
}

TEST(the_host_runs_the_commands_on_threads_of_its_own) {
    const repository repo("build: first\n");
    repo.commit("second");
    std::vector<std::thread> workers;
    std::atomic<int> at_once{0};
    options set;
    setenv("OF_THE_HOST", "1", 1);
    set.jobs(2).executor([&](request &command) {
        EQUAL(command.command().at("shell").as<std::string>(), "first");
        CHECK(command.command().at("env").find("TINYCI_COMMIT") != nullptr);
        CHECK(command.command().at("env").find("PATH") != nullptr);
        CHECK(command.command().at("env").find("OF_THE_HOST") == nullptr);
        workers.emplace_back([&at_once, command = std::move(command)]() mutable {
            at_once++;
            // Neither could go on if the other had to end before.
            check::eventually("both commands", [&] { return at_once == 2; });
            const std::string line(999, 'x');
            for (int sent = 0; sent < 2000; sent++) {
                while (!command.output(line + "\n")) std::this_thread::yield();
            }
            command.finish(0);
        });
    });
    tinyci::run run = engine(repo.path(), set).run();
    const std::size_t length = output_of(run).size();
    for (std::thread &worker : workers) worker.join();
    EQUAL(length, 4000000u);
    for (const record &one : run.records()) CHECK(one.passed);
}

TEST(a_command_of_the_hosts_can_fail_in_every_way) {
    const repository repo("build: first\n");
    const selection again = head_again();
    const auto build_of = [&](tinyci::executor_function commands) {
        options set;
        set.executor(std::move(commands));
        tinyci::run run = engine(repo.path(), set).run(again);
        output_of(run);
        const record one = run.records().at(0);
        CHECK(!one.passed);
        return one.steps.at(0);
    };
    EQUAL(build_of([](request &command) {
        CHECK(command.output("oh\n", tinyci::stream::standard_error));
        command.finish(3);
    }).exit_code, 3);
    EQUAL(build_of([](request &command) { command.finish(0, 15); }).exit_code, 128 + 15);
    const auto refused =
        build_of([](request &) { throw tinyci::refusal("no machine is free", 2); });
    CHECK(refused.error.find("no machine is free") != std::string::npos
          || refused.outcome == outcome::error);
    build_of([](request &command) { const request dropped = std::move(command); });
    THROWN(std::logic_error, build_of([](request &) { throw std::logic_error("a mistake"); }));
}

TEST(a_pipeline_in_memory_judges_in_place_of_the_commits_own) {
    const repository repo("build: 'false'\n");
    const engine opened(repo.path());
    selection which;
    which.pipeline(opened.parse("build: echo nightly", tinyci::format::yaml, "nightly.yml"));
    tinyci::run run = opened.run(which);
    EQUAL(output_of(run), "nightly\n");
    CHECK(run.records().at(0).passed);
}

TEST(another_thread_cancels) {
    const repository repo(endless);
    const engine opened(repo.path());
    const tinyci::cancel_token stop;
    for (const bool own : {true, false}) {
        tinyci::run run = own ? opened.run() : opened.run({}, stop);
        std::string output;
        std::thread timer;
        for (const event &event : run) {
            if (event.kind() != event_kind::output) continue;
            output += event.data();
            if (output == "going\n") timer = std::thread([token = run.token()] { token.cancel(); });
        }
        timer.join();
        EQUAL(output, "going\ncleaned up\n");
        EQUAL(run.records().at(0).outcome, outcome::canceled);
        EQUAL(run.token().level(), 1);
    }
    EQUAL(stop.level(), 1);
    EQUAL(repo.verdicts(), 0u);
}

TEST(leaving_the_loop_stops_the_run) {
    const repository repo("build: echo $$; exec sleep 600\n");
    const engine opened(repo.path());
    std::string process;
    const auto leave = [&](bool by_throwing) {
        for (const event &event : opened.run()) {
            if (event.kind() != event_kind::output) continue;
            process = std::string(event.data(), 0, event.data().find('\n'));
            CHECK(check::is_alive(process));
            if (by_throwing) throw std::domain_error("enough");
            return;
        }
    };
    leave(false);
    CHECK(!check::is_alive(process));
    THROWN(std::domain_error, leave(true));
    CHECK(!check::is_alive(process));
    EQUAL(repo.verdicts(), 0u);
}

TEST(one_that_runs_already_is_busy_and_can_be_followed) {
    const repository repo("build: 'echo going; "
                          "until test -e ../../../go-on; do sleep 0.01; done'\n");
    const engine opened(repo.path());
    tinyci::run first = opened.run();
    while (first.next() == code::ok && first.event().kind() != event_kind::output) continue;
    EQUAL(first.event().data(), "going\n");
    tinyci::run second = opened.run();
    EQUAL(THROWN(tinyci::error, second.next()).code(), code::busy);
    EQUAL(THROWN(tinyci::error, first.records()).code(), code::invalid_arg);

    std::string followed;
    std::thread follower([&] {
        tinyci::run run = engine(repo.path()).follow();
        followed = output_of(run);
    });
    repo.write("go-on", "");
    output_of(first);
    follower.join();
    CHECK(first.records().at(0).passed);
}

TEST(a_descriptor_tells_when_there_is_something) {
    const repository repo("build: sleep 0.2\n");
    tinyci::run run = engine(repo.path()).run();
    int pulled = 0;
    for (code given = code::again; given != code::done;) {
        pollfd ready{run.fd(), POLLIN, 0};
        CHECK(poll(&ready, 1, 120000) == 1);
        while ((given = run.next(std::chrono::milliseconds(0))) == code::ok) pulled++;
    }
    CHECK(pulled > 4);
    CHECK(run.records().at(0).passed);
}

TEST(two_engines_work_at_once) {
    const repository repos[] = {repository("build: echo one\n"), repository("build: echo two\n")};
    std::string outputs[2];
    std::thread threads[2];
    for (int which = 0; which < 2; which++) {
        threads[which] = std::thread([&, which] {
            options set;
            set.hook("before_build", [](request &hook) { hook.set_var("some", "thing"); });
            tinyci::run run = engine(repos[which].path(), set).run();
            outputs[which] = output_of(run);
        });
    }
    for (std::thread &thread : threads) thread.join();
    EQUAL(outputs[0], "one\n");
    EQUAL(outputs[1], "two\n");
}

TEST(a_forked_child_is_told_and_the_parent_goes_on) {
    const repository repo("build: echo built\n");
    const engine opened(repo.path());
    tinyci::run run = opened.run();
    CHECK(run.next() == code::ok);
    const pid_t child = fork();
    if (child == 0) {
        bool told = false;
        try {
            run.next();
        } catch (const tinyci::error &error) {
            told = error.code() == code::wrong_process;
        }
        { const tinyci::run gone = std::move(run); }
        // Another program, since valgrind would look for leaks at the end of this one: what the
        // threads held that only the parent has.
        if (told) execlp("true", "true", nullptr);
        _exit(1);
    }
    int ended = -1;
    CHECK(waitpid(child, &ended, 0) == child);
    EQUAL(ended, 0);
    EQUAL(output_of(run), "built\n");
    CHECK(run.records().at(0).passed);
}
