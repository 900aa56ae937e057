// The engines that scenario tests run against: the naive one proves the scenario itself, the real one must agree.
#pragma once
#include <gtest/gtest.h>

#include <ostream>

#include "tests/support/lab.hpp"
#include "tests/support/naive_engine.hpp"
#include "tests/support/reflector_engine.hpp"

namespace helio::test {

struct EngineCase {
  const char* name;
  EngineFactory (*make)();
  std::uint32_t shards;
  friend std::ostream& operator<<(std::ostream& out, const EngineCase& c) { return out << c.name << c.shards; }
};

inline EngineFactory make_naive() { return naive_engine(); }

inline std::vector<EngineCase> engine_cases() {
  return {{"naive", make_naive, 1}, {"reflector", reflector_engine, 1}, {"reflector", reflector_engine, 3}};
}

// A scenario suite: TEST_P bodies build their lab with lab({...}).
class Scenario : public testing::TestWithParam<EngineCase> {
 protected:
  Lab lab(std::vector<PeerSpec> peers, bool start = true, bool tiny_limits = false) const {
    return Lab(GetParam().make(), std::move(peers), GetParam().shards, start, tiny_limits);
  }
};

inline std::string engine_case_name(const testing::TestParamInfo<EngineCase>& info) { return info.param.name + std::to_string(info.param.shards); }

}  // namespace helio::test
