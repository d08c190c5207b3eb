// What an operation's outcome means to a policy.
#pragma once

namespace dspu::core {

enum class verdict {
  success,
  failure,
  ignored,  // counts neither way: the caller cancelled, or the error is none of the policy's business
};

}  // namespace dspu::core
