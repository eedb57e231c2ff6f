# Lines of a text as C strings.  (A file, because meson turns backslashes of a command around.)
s/["\\]/\\&/g
s/.*/"&\\n",/
