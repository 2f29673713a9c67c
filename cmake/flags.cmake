# Warnings, hardening and sanitizers for everything that is ours.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
	-Wmissing-prototypes -Wvla -Wno-format-zero-length -fno-strict-overflow -ffp-contract=off
	$<$<NOT:$<CONFIG:Release>>:-fno-omit-frame-pointer>)
add_compile_definitions(_GNU_SOURCE SLUICE_VERSION="${PROJECT_VERSION}")
if(SLUICE_WERROR)
	add_compile_options(-Werror)
endif()
if(SLUICE_SANITIZE)
	add_compile_options(-fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all)
	add_link_options(-fsanitize=${SLUICE_SANITIZE})
else()
	add_compile_options(-fPIE -fstack-protector-strong -fstack-clash-protection)
	add_link_options(-pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack)
	if(CMAKE_BUILD_TYPE STREQUAL "Release")
		add_compile_definitions(_FORTIFY_SOURCE=2)
	endif()
endif()
# Every room tells the fuzzer which ways it took; the targets link its main as well.
if(SLUICE_FUZZ)
	add_compile_options(-fsanitize=fuzzer-no-link)
	add_link_options(-fsanitize=fuzzer-no-link)
endif()
