# cmake -DOUT=sql.c "-DFILES=0001_a.sql;0002_b.sql" -P embed.cmake: the files as a C
# table, in their order. Bytes rather than string literals, whose length is limited.
set(bodies "")
set(table "")
foreach(file ${FILES})
	get_filename_component(name ${file} NAME_WE)
	string(REGEX MATCH "^[0-9]+" digits ${name})
	math(EXPR version "1${digits} - 10000")
	file(READ ${file} hex HEX)
	string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
	string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
		"\t\\1\n" bytes "${bytes}")
	string(APPEND bodies "static const char text_${version}[] = {\n${bytes} 0 };\n")
	string(APPEND table "\t{ .version = ${version}, .name = \"${name}\","
		" .text = text_${version} },\n")
endforeach()
file(WRITE ${OUT} "/* Made from sql/ by embed.cmake. */\n#include \"journal_priv.h\"\n\n"
	"${bodies}\nconst struct sql_file sql_files[] = {\n${table}\t{ .version = 0 },\n};\n")
