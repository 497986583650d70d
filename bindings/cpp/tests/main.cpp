// Runs every test; or those whose name holds the argument; or, with `-` before it, all others.

#include "check.hpp"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <fstream>
#include <iostream>
#include <utility>
#include <vector>

namespace check {

namespace {

std::vector<std::pair<std::string, void (*)()>> &tests() {
    static std::vector<std::pair<std::string, void (*)()>> all;
    return all;
}

bool is_chosen(const std::string &name, std::string_view by) {
    const bool without = by.substr(0, 1) == "-";
    if (without) by.remove_prefix(1);
    return (name.find(by) == std::string::npos) == without;
}

}  // namespace

test::test(const char *name, void (*run)()) { tests().emplace_back(name, run); }

std::string read_file(const std::filesystem::path &path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

bool is_alive(const std::string &process) {
    const std::string stat = read_file("/proc/" + process + "/stat");
    const std::size_t state = stat.rfind(") ");
    return state != std::string::npos && stat[state + 2] != 'Z' && stat[state + 2] != 'X';
}

repository::repository() {
    std::string name = (std::filesystem::temp_directory_path() / "tinyci-cpp-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw failure("no directory " + name);
    folder_ = std::filesystem::canonical(name);
    std::filesystem::create_directory(path());
    git("init -q -b main");
}

repository::repository(const std::string &config, const std::string &name) : repository() {
    write(name, config);
    commit("first");
}

repository::~repository() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::string repository::git(const std::string &arguments) const {
    const std::string command = "git -C '" + path().string() + "' " + arguments + " 2>&1";
    FILE *pipe = popen(command.c_str(), "r");
    if (pipe == nullptr) throw failure(command);
    std::string said;
    for (int letter = fgetc(pipe); letter != EOF; letter = fgetc(pipe)) {
        said += static_cast<char>(letter);
    }
    if (pclose(pipe) != 0) throw failure(command + ": " + said);
    if (!said.empty() && said.back() == '\n') said.pop_back();
    return said;
}

void repository::write(const std::string &name, const std::string &text) const {
    std::ofstream(path() / name, std::ios::binary) << text;
}

std::string repository::commit(const std::string &message) const {
    git("add -A");
    git("commit -q --allow-empty -m '" + message + "'");
    return git("rev-parse HEAD");
}

std::size_t repository::verdicts() const {
    const std::string notes = git("for-each-ref refs/notes/tinyci-result");
    if (notes.empty()) return 0;
    const std::string list = git("notes --ref=tinyci-result list");
    std::size_t lines = list.empty() ? 0 : 1;
    for (const char letter : list) lines += letter == '\n';
    return lines;
}

}  // namespace check

int main(int argc, char **argv) {
    // The process inherits settings that must not affect the tests: git's environment, ignored signals.
    for (const char *name : {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}) unsetenv(name);
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    for (const char *who : {"AUTHOR", "COMMITTER"}) {
        setenv((std::string("GIT_") + who + "_NAME").c_str(), "Ada", 1);
        setenv((std::string("GIT_") + who + "_EMAIL").c_str(), "ada@example.org", 1);
    }
    signal(SIGINT, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    int ran = 0, failed = 0;
    for (const auto &[name, run] : check::tests()) {
        if (!check::is_chosen(name, argc > 1 ? argv[1] : "")) continue;
        ran++;
        try {
            run();
        } catch (const std::exception &error) {
            failed++;
            std::cerr << name << ": " << error.what() << std::endl;
        }
    }
    std::cout << ran << " tests, " << failed << " failed" << std::endl;
    return failed == 0 && ran > 0 ? 0 : 1;
}
