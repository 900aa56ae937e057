// Definition -> Program, with every mistake at once.
#pragma once
#include <memory>
#include <vector>

#include "rr/policy/definition.hpp"
#include "rr/policy/program.hpp"

namespace helio::policy {

// Null when there are errors. `previous`: the program in force; export numbers and hit counters go on from it.
std::shared_ptr<const Program> compile(const Definition& definition, std::vector<DefinitionError>& errors, const Program* previous = nullptr);

}  // namespace helio::policy
