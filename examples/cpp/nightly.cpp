// Tests the tips of branches with a nightly pipeline, which takes too long for a push. Prints a table
// of the outcomes.
//
//   nightly REPOSITORY PIPELINE.yml [BRANCH...]     (default: main)
//
// The output of the builds goes to standard error at once. Commands can use the date with the
// placeholder <%= night %>. Exit codes: 0 if all commits are green, 1 if one is red, 4 if tinyci could
// not work, 130 if the run was interrupted. The first Ctrl-C ends the command and still runs
// `after_all`; the second kills.

#include <csignal>
#include <ctime>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include <tinyci.hpp>

namespace {

const tinyci::cancel_token *stop = nullptr;

void on_interrupt(int) { stop->cancel(); }

std::string read_file(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw tinyci::error(tinyci::code::not_found, path + ": cannot be read");
    return {std::istreambuf_iterator<char>(file), {}};
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    char text[sizeof "2000-01-01"];
    std::strftime(text, sizeof text, "%Y-%m-%d", std::localtime(&now));
    return text;
}

/// Returns the first step that is not green and its reason, or the reason of the record.
std::string failure(const tinyci::record &record) {
    for (const tinyci::step &step : record.steps) {
        if (step.outcome == tinyci::outcome::success) continue;
        if (!step.error.empty()) return step.name + ": " + step.error;
        return step.name + ": exit code " + std::to_string(step.exit_code);
    }
    return record.reason;
}

void print(const std::vector<tinyci::record> &records) {
    std::cout << std::left << std::fixed << std::setprecision(1);
    for (const tinyci::record &record : records) {
        std::cout << std::setw(10) << record.commit.substr(0, 8) << std::setw(16) << record.branch
                  << std::setw(12) << to_string(record.outcome) << std::right << std::setw(8)
                  << static_cast<double>(record.duration.count()) / 1000 << " s  " << std::left
                  << failure(record) << '\n';
    }
}

/// Returns the exit code of `tinyci run`. An unknown outcome counts as red.
int exit_code(const std::vector<tinyci::record> &records) {
    int worst = 0;
    for (const tinyci::record &record : records) {
        int code = 1;
        if (record.passed || record.outcome == tinyci::outcome::skipped) code = 0;
        if (record.outcome == tinyci::outcome::error) code = 4;
        if (record.outcome == tinyci::outcome::canceled) code = 130;
        if (code > worst) worst = code;
    }
    return worst;
}

int test(const std::string &repository, const std::string &file,
          const std::vector<std::string> &branches, const tinyci::cancel_token &cancel) {
    tinyci::options options;
    options.jobs(2).job_timeout(std::chrono::hours(4));
    options.hook("before_build", [](tinyci::request &hook) { hook.set_var("night", today()); });
    const tinyci::engine engine(repository, options);

    tinyci::selection tips;
    tips.pipeline(engine.parse(read_file(file), tinyci::format::yaml, file)).retry();
    for (const std::string &branch : branches) tips.revision("refs/heads/" + branch);

    tinyci::run run = engine.run(tips, cancel);
    for (const tinyci::event &event : run) {
        if (event.kind() == tinyci::event_kind::output) std::cerr << event.data();
        std::cerr << event.log_lines() << std::flush;
    }
    const std::vector<tinyci::record> records = run.records();
    print(records);
    return exit_code(records);
}

}  // namespace

int main(int argc, char **argv) {
    if (argc < 3) {
        std::cerr << "usage: nightly REPOSITORY PIPELINE.yml [BRANCH...]\n";
        return 2;
    }
    const tinyci::cancel_token cancel;
    stop = &cancel;
    std::signal(SIGINT, on_interrupt);
    int code = 4;
    try {
        std::vector<std::string> branches(argv + 3, argv + argc);
        if (branches.empty()) branches.emplace_back("main");
        code = test(argv[1], argv[2], branches, cancel);
    } catch (const tinyci::error &error) {
        std::cerr << "nightly: " << error.what() << '\n';
    }
    std::signal(SIGINT, SIG_DFL);
    return code;
}
