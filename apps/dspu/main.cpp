#include <cstdio>

int main() { std::puts("dspu"); }
