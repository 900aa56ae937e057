#include "rr/config/load.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "rr/config/check.hpp"
#include "rr/config/decode.hpp"
#include "rr/config/toml_reader.hpp"
#include "rr/config/validate.hpp"

namespace helio::config {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 64u << 20;

// FNV-1a: tells one text from another in metrics and logs, protects nothing.
std::string hash_text(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

LoadResult checked(const Node& tree, const std::string& file, const std::string& directory, Problems& problems) {
  check_structure(tree, problems);
  Config config = decode(tree, directory);
  validate(config, directory, problems);
  if (problems.errors()) return Unexpected(problems.take());
  config.file = file;
  config.warnings = problems.take();
  return config;
}

}  // namespace

LoadResult parse_config(std::string_view text, const std::string& file, const std::string& directory) {
  Problems problems(file);
  auto tree = read_toml(text, problems);
  if (!tree) return Unexpected(problems.take());
  LoadResult config = checked(*tree, file, directory, problems);
  if (config) config->hash = hash_text(text);
  return config;
}

LoadResult config_from_tree(const Node& tree, const std::string& file) {
  Problems problems(file);
  std::error_code code;
  return checked(tree, file, std::filesystem::absolute(file, code).parent_path().string(), problems);
}

LoadResult load_config(const std::string& path) {
  Problems problems(path);
  std::error_code code;
  auto absolute = std::filesystem::absolute(path, code);
  if (std::filesystem::is_directory(absolute, code)) {
    problems.error({}, "", "is a directory", "name the file");
    return Unexpected(problems.take());
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    problems.error({}, "", fmt::format("cannot be opened: {}", std::strerror(errno)));
    return Unexpected(problems.take());
  }
  if (auto bytes = std::filesystem::file_size(absolute, code); !code && bytes > kMaxFileBytes) {
    problems.error({}, "", fmt::format("has {} bytes", bytes), fmt::format("at most {}", kMaxFileBytes));
    return Unexpected(problems.take());
  }
  std::ostringstream text;
  text << in.rdbuf();
  return parse_config(text.str(), path, absolute.parent_path().string());
}

}  // namespace helio::config
